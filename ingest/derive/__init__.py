"""What follows from a contract: Arrow schema, JSON Schema, AsyncAPI, dbt source, docs page."""
