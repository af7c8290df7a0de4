"""`brama demo`: the whole journey on loopback, with real parts and generated people, and the books at its end."""
