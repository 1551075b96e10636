"""Outside systems behind one small interface each."""
