"""The rules, by subject. Each is a pure function; `checks.table` puts them in order and says where they come from."""
