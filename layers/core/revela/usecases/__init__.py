"""What Revela does: one file and one public function per use case, `f(command, *, ports)`."""
