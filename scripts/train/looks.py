"""The looks of `mini`: name, painter of the target, and further names in prompts."""

# ruff: noqa: E501 - a table is read by rows

from collections.abc import Callable
from dataclasses import dataclass

from scripts.train import procedural
from scripts.train.procedural import Picture
from scripts.train.teacher import Teacher


@dataclass(frozen=True)
class Look:
    """A look, and the way to paint targets."""

    name: str
    paint: int | Callable[[Picture], Picture]
    """Number of the teacher's style, or a procedure."""
    words: tuple[str, ...]
    """Further names of the look in prompts."""
    palette: Callable[[Picture], Picture] | None = None
    """Procedure to mix half and half with the teacher's painting: the teacher has strong strokes and unstable colours.
    """

    def target(self, picture: Picture, teacher: Teacher) -> Picture:
        """Return `picture` in the look."""
        if not isinstance(self.paint, int):
            return self.paint(picture)
        painted = teacher.paint(picture, self.paint)
        return painted if self.palette is None else procedural.mixed(painted, self.palette(picture))


def _words(text: str) -> tuple[str, ...]:
    return tuple(phrase.strip() for phrase in text.split(","))


LOOKS = (
    Look("oil", procedural.oil, _words("oil painting, thick oil painting, impasto, impressionist, impressionism, autumn oil, oil on canvas, monet, renoir, cezanne, brush strokes, palette knife, fall colours, painterly")),
    Look("pastel", procedural.pastel, _words("pastel oil, pastel painting, soft pastel, chalk pastel, degas, pale blue and orange, pastel drawing, pastel colours, chalk drawing")),
    Look("primary", 7, _words("primary blocks, primary colours, red yellow blue, mondrian, bauhaus, constructivist, colour blocks, de stijl, expressionist, fauvism, matisse")),
    Look("old master", 10, _words("renaissance, rembrandt, da vinci, leonardo, baroque, brown oil, classical painting, caravaggio, museum painting, dark portrait, chiaroscuro")),
    Look("engraving", 11, _words("etching, banknote, copperplate, old book illustration, hatching, crosshatch, durer, vintage engraving, line engraving, dollar bill")),
    Look("pop green", procedural.pop, _words("green pop art, psychedelic, acid, green and red, toxic green, jungle colours, absinthe poster, psychedelic poster")),
    Look("pale pencil", 14, _words("light pencil, pale drawing, silverpoint, soft drawing, delicate pencil, faint sketch, light blue pencil, pale blue drawing")),
    Look("sepia", procedural.sepia, _words("sepia wash, sepia ink, old photograph, vintage photo, antique, brown and cream, tea stained, parchment, old paper")),
    Look("starry", 19, _words("starry night, van gogh, vincent van gogh, gogh, night sky painting, swirling stars, blue and yellow swirls, swirls, the starry night, post impressionist"), procedural.night),
    Look("red woodcut", 20, _words("red and black, woodcut, red linocut, blood red, crimson print, hell, inferno, red darkness, soviet red, volcanic, on fire, lava")),
    Look("ukiyo-e", procedural.ukiyo, _words("ukiyoe, japanese print, hokusai, great wave, japanese woodblock, woodblock print, hiroshige, edo, japan print, the great wave off kanagawa, asian ink painting")),
    Look("cartoon", procedural.cartoon, _words("toon, cel shading, cel shaded, anime, animation, animated film, disney, pixar, saturday cartoon, manga colour, studio ghibli")),
    Look("pencil", procedural.pencil, _words("pencil sketch, graphite, sketch, line drawing, pencil drawing, hand drawn, drawing, black and white sketch, line art, manga, ink sketch")),
    Look("charcoal", procedural.charcoal, _words("charcoal drawing, burnt stick, smudged drawing, coal, dark sketch, chiaroscuro drawing, soot")),
    Look("watercolor", procedural.watercolor, _words("watercolour, aquarelle, water color painting, wet on wet, wash painting, light washes, watercolor painting, turner")),
    Look("gouache", procedural.gouache, _words("acrylic, acrylic painting, painting, painted, soft paint, poster paint, tempera, matte painting, digital painting, concept art, illustration, storybook")),
    Look("neon", procedural.neon, _words("neon lights, glowing lines, tron, neon outlines, glow in the dark, neon sign, laser, blacklight, electric lines, synthwave lines")),
    Look("thermal", procedural.thermal, _words("heat map, heat vision, thermal camera, thermography, predator vision, false colour, temperature, infrared thermal")),
    Look("blueprint", procedural.blueprint, _words("technical drawing, cyanotype, architect plan, schematic, white lines on blue, engineering drawing, construction plan")),
    Look("noir", procedural.noir, _words("film noir, black and white, monochrome, black and white film, detective film, high contrast black and white, grayscale, hitchcock, 1940s film, silent film")),
    Look("gameboy", procedural.gameboy, _words("game boy, retro game, 8 bit, 8bit, pixel art, green screen console, handheld game, retro green, four colours, old video game, lcd")),
    Look("cyberpunk", procedural.cyberpunk, _words("blade runner, teal and magenta, synthwave, vaporwave, retrowave, night city, futuristic city, sci fi, purple neon city, outrun, hacker")),
    Look("golden hour", procedural.golden, _words("golden, sunset, sunset light, warm light, evening sun, amber light, low sun, sunrise, honey light, summer evening, warm")),
    Look("riso", procedural.riso, _words("risograph, two colour print, duotone, pink and blue print, zine, screenprint duotone, riso print, misprint, gig poster")),
    Look("bronze", procedural.bronze, _words("bronze relief, statue, sculpture, metal relief, embossed, coin, copper, gold relief, carved, medal, bas relief, emboss")),
    Look("dream", procedural.dream, _words("dreamy, soft focus, soft glow, bloom, fairy tale, ethereal, romantic haze, pink haze, heavenly, mist, foggy")),
    Look("infrared", procedural.infrared, _words("infrared film, aerochrome, pink trees, crimson forest, kodak aerochrome, false colour film, red foliage, alien planet")),
)  # fmt: skip

FALLBACK = "gouache"
"""The look of a prompt without the name of a look."""

NAMES = tuple(look.name for look in LOOKS)
