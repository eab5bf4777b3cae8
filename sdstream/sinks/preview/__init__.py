"""A web page that shows the picture, the camera's beside it, and how it goes."""
