"""People, tokens, roles with cluster scope, sessions."""
