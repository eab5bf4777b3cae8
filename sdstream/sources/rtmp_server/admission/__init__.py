"""Who is let in at the public port: keys, logins, TLS, and what a stranger may cost. No file here touches a socket."""
