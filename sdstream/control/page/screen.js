// The output alone, for a projector: the last picture stays while the daemon is away, without a word for the audience.

import {film} from "./film.js";

const canvas = document.getElementById("show");
film(canvas, "show", reason => { document.title = reason ? "sdstream: " + reason : "sdstream: output"; });
canvas.onclick = () => document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen();
document.onkeydown = event => { if (event.key === "f") canvas.onclick(); };
