"""The staff's pages: six views of the city for people who do not program, in Russian and English.

The folder is a package so that it is never imported as `streamlit`; `main.py` is the script that Streamlit runs.
"""
