"""How Revela reaches the outside: one thing per file or package, each behind a port."""
