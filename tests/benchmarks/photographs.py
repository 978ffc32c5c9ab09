"""Gather freely licensed photographs and photo-like textures from Debian packages, to train upscalers on.

    python tests/benchmarks/photographs.py FOLDER        (a Debian or Ubuntu machine with its package lists, 1 GiB)

Each comes in its largest size; what a camera made of more than 6 million pixels is halved, since it is soft at full
size. Drawings are left out by name, flat textures by how little they change from pixel to pixel. Licences, by the
packages' own copyright files: lomiri-wallpapers-* CC-BY-SA-3.0, CC-BY-SA-4.0 and CC-BY-4.0; mate-backgrounds and
plasma-workspace-wallpapers GPL-2+; ufoai-textures GPL-2+, CC-BY-3.0 and CC-BY-SA-3.0.
"""

import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

WALLPAPERS = ("plasma-workspace-wallpapers", "mate-backgrounds", "lomiri-wallpapers-16.04", "lomiri-wallpapers-20.04")
TEXTURES = "ufoai-textures"
PHOTOGRAPHS = {
    "Bridge_by_Sander_Klootwijk",
    "Dragonfly_by_Bolly",
    "Kleiber_by_Lukas_Baubkus",
    "Picture_0B_by_freespace",
    "Picture_1A_by_freespace",
    "Wine_by_Jakkub_Mede",
    "aitzgorri_by_Aitzol_Berasategi",
    "free_by_Peter_Nerlich",
    "friends_by_Aitzol_Berasategi",
    "greentock_by_Peter_Nerlich",
    "life_by_Aitzol_Berasategi",
    "picosdeeuropa_by_Aitzol_Berasategi",
    "seeding_by_Clements_Engelhardt",
    "sunset_by_Aitzol_Berasategi",
    "Elephants_5640x3172",
    "Aqua",
    "Blinds",
    "Dune",
    "Garden",
    "GreenMeadow",
    "LadyBird",
    "RainDrops",
    "Storm",
    "TwoWings",
    "Wood",
    "YellowFlower",
    "Autumn",
    "BytheWater",
    "ColdRipple",
    "ColorfulCups",
    "DarkestHour",
    "EveningGlow",
    "FallenLeaf",
    "Grey",
    "Kite",
    "OneStandsOut",
    "Path",
    "Volna",
    "summer_1am",
}
SOFT = 6_000_000  # pixels from which a photograph is halved
SMALLEST = 480  # pixels on the shorter side
DETAIL = 6.0  # mean absolute difference of neighbouring gray levels below which a texture is flat
NO_PICTURES = ("_nm", "_sm", "_gm", "_rm")  # ends of the names of normal, specular and glow maps


def main(folder: Path) -> None:
    """Fill `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        packages = Path(temporary)
        subprocess.run(["apt-get", "download", *WALLPAPERS, TEXTURES], cwd=packages, check=True)
        for package in packages.glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, packages], check=True)
        print(photographs(packages / "usr" / "share", folder), "photographs")
        print(textures(packages / "usr/share/games/ufoai/base/0textures.pk3", folder), "textures")


def photographs(root: Path, folder: Path) -> int:
    """The largest size of each photograph, and how many there are."""
    largest: dict[str, tuple[int, Path]] = {}
    for path in sorted(root.rglob("*.jpg")):
        name = path.parts[-4] if path.parent.name == "images" else path.stem
        with Image.open(path) as image:
            pixels = image.width * image.height
        if name in PHOTOGRAPHS and pixels > largest.get(name, (0, path))[0]:
            largest[name] = (pixels, path)
    for name, (pixels, path) in largest.items():
        with Image.open(path) as image:
            picture = image.convert("RGB")
        if pixels > SOFT:
            picture = picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.LANCZOS)
        if min(picture.size) >= SMALLEST:
            picture.save(folder / f"{name}.png")
    return len(largest)


def textures(archive: Path, folder: Path) -> int:
    """Every texture that is large and detailed enough, and how many there are."""
    count = 0
    with zipfile.ZipFile(archive) as files:
        for name in sorted(files.namelist()):
            path = Path(name)
            if path.suffix not in (".png", ".jpg") or path.stem.endswith(NO_PICTURES):
                continue
            with Image.open(io.BytesIO(files.read(name))) as image:
                if image.mode not in ("RGB", "P") or min(image.size) < SMALLEST:
                    continue
                picture = image.convert("RGB")
            gray = np.asarray(picture.convert("L"), np.float32)
            if np.abs(np.diff(gray, axis=1)).mean() + np.abs(np.diff(gray, axis=0)).mean() >= 2 * DETAIL:
                picture.save(folder / f"texture-{path.parent.name}-{path.stem}.png")
                count += 1
    return count


if __name__ == "__main__":
    main(Path(sys.argv[1]))
