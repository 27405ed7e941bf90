"""The same work as this platform does, written as others would write it, to be measured beside it."""
