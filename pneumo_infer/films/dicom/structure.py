"""Bound the attributes of a DICOM film before they are converted, and read no others.

pydicom keeps attributes as bytes until they are asked for, and then converts all their values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement

if TYPE_CHECKING:
    from pydicom import Dataset

KEYWORDS = (
    *("Modality", "PresentationIntentType", "BodyPartExamined", "ViewPosition"),
    *("PatientAge", "PatientBirthDate", "StudyDate"),
    *("Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
    *("RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth", "VOILUTFunction", "PresentationLUTShape"),
    *("ModalityLUTSequence", "VOILUTSequence", "LUTDescriptor", "LUTData"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
    *("PixelValueTransformationSequence", "FrameVOILUTSequence"),
    *(
        f"{colour}PaletteColorLookupTable{part}"
        for colour in ("Red", "Green", "Blue")
        for part in ("Descriptor", "Data")
    ),
)
MAX_VALUE_BYTES = 1024
MAX_TABLE_BYTES = 2 * 2**16  # entries of 16 bits for all values of 16 bits
MAX_SEQUENCE_BYTES = 2**20
MAX_ITEMS = 1000
ITEM_TAGS = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")  # little-endian and big-endian
# `greyscale` reads the first number of these as it is stored, whatever their length.
READ_AS_STORED = ("RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth")
TAGS = {tag_for_keyword(keyword): keyword for keyword in KEYWORDS if keyword not in READ_AS_STORED}


def require_reasonable_attributes(film: Dataset) -> None:
    """Check the size of all attributes that are read, in the film and in its sequences.

    Raises
    ------
    ValueError
        One has more bytes or items than any film.
    """
    for tag in film.keys() & TAGS.keys():
        element = film.get_item(tag)
        if isinstance(element, RawDataElement):
            _check(TAGS[tag], element.value or b"")
        elif dictionary_VR(tag) == "SQ":  # of undefined length, which pydicom parses at once
            for item in element.value:
                require_reasonable_attributes(item)


def _check(keyword: str, value: bytes) -> None:
    most = MAX_VALUE_BYTES
    if keyword.endswith("Data"):
        most = MAX_TABLE_BYTES
    elif keyword.endswith("Sequence"):
        most = MAX_SEQUENCE_BYTES
        if max(value.count(tag) for tag in ITEM_TAGS) > MAX_ITEMS:
            raise ValueError(f"{keyword} has more than {MAX_ITEMS} items")
    if len(value) > most:
        raise ValueError(f"{keyword} has {len(value)} bytes, more than {most}")
