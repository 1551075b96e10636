"""How to talk to the outside: values in, values out."""
