"""IP-Adapters: a picture as a prompt. Start reading at `ip_adapters`; `header` alone needs no torch."""
