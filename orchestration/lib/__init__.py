"""How the definitions work: plain functions, most of them without Dagster, so that a test calls them directly."""
