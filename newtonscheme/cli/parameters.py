"""What the commands' options have in common. None always means "not given": the defaults live in the library."""

from __future__ import annotations

from typing import Annotated

import typer
from typer.models import OptionInfo

Text = str | None
Number = float | None
Whole = int | None
Flag = bool | None


def option(metavar: str, text: str, panel: str | None = None) -> OptionInfo:
    """An option that takes a value, with what stands for the value, its help and the panel of the help that it is in."""
    return typer.Option(metavar=metavar, help=text, rich_help_panel=panel, show_default=False)


def flag(name: str, text: str, panel: str | None = None, short: str | None = None) -> OptionInfo:
    """An option that takes no value: it is there or not."""
    return typer.Option(*(name for name in (name, short) if name), metavar="", help=text, rich_help_panel=panel, show_default=False)


OUTPUT, TIME, PHYSICS, PICTURE, INPUT, RUN = "What to write", "What to forecast", "What is known", "Where and when to look", "Other inputs", "The run"
"""Panels of the help."""

# What `ns predict` is told of one clip and `ns batch` of many.
Observe = Annotated[Number, option("SHARE", "Use only this share (0..1) of the motion, and score the forecast on the rest.", TIME)]
Horizon = Annotated[Number, option("SECONDS", "How far to forecast; default: as long as what was observed.", TIME)]
Level = Annotated[Number, option("SHARE", "Probability of the band; default 0.9.", TIME)]
PatternName = Annotated[Text, option("NAME", "The force pattern, if known; see `ns patterns`.", PHYSICS)]
ObjectName = Annotated[Text, option("NAME", "The object, if known; see `ns objects`.", PHYSICS)]
Mass = Annotated[Text, option("KG", "Mass in kg: VALUE, VALUE±SIGMA or VALUE±P%; a bare value means 1 %.", PHYSICS)]
Diameter = Annotated[Text, option("M", "Diameter in m, with its uncertainty as for --mass.", PHYSICS)]
Length = Annotated[Text, option("M", "Length of the pendulum in m, with its uncertainty as for --mass.", PHYSICS)]
ScaleValue = Annotated[Text, option("PX_PER_M", "Pixels for each metre, with its uncertainty as for --mass.", PHYSICS)]
GravityValue = Annotated[Text, option("M_S2", "Gravity in m/s²; default: standard gravity.", PHYSICS)]
Latitude = Annotated[Number, option("DEG", "Latitude that gives gravity, in place of --g.", PHYSICS)]
Height = Annotated[Number, option("M", "Height above sea level, for gravity and air.", PHYSICS)]
Temperature = Annotated[Number, option("C", "Temperature of the air in °C.", PHYSICS)]
Pressure = Annotated[Number, option("HPA", "Pressure of the air in hPa.", PHYSICS)]
Fps = Annotated[Number, option("F", "True frame rate of the recording; rescales the clock (240 for slow motion stored at 30).", PICTURE)]
Start = Annotated[Number, option("S", "Look from this time on, in s from the first frame.", PICTURE)]
End = Annotated[Number, option("S", "Look up to this time.", PICTURE)]
Roi = Annotated[Text, option("X,Y,W,H", "Look only in this region, in pixels.", PICTURE)]
ObjectIndex = Annotated[Whole, option("N", "Which of the moving objects, 0 being the best.", PICTURE)]
Fov = Annotated[Number, option("DEG", "Horizontal field of view of the camera.", PICTURE)]
CameraFile = Annotated[Text, option("FILE", "Calibrated camera, in place of --fov.", PICTURE)]
Size = Annotated[Text, option("W,H", "Size of the picture that --track was made in, in pixels.", INPUT)]
Units = Annotated[Text, option("px|m|deg|rad", "Unit of the coordinates of --track, where its header does not say.", INPUT)]
DetectorFile = Annotated[Text, option("FILE.onnx", "A detector of your own, a YOLO-type export: only what moves in its boxes counts.", INPUT)]
WeightsFile = Annotated[Text, option("FILE", "Another recogniser of force patterns, from `ns train`.", INPUT)]
ConfigFile = Annotated[Text, option("FILE.toml", "Any of these options as keys; the command line wins.", INPUT)]
Seed = Annotated[Whole, option("N", "Seed of everything random; default 0.", RUN)]
