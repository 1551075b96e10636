"""The files of the page that breaks machines."""
