"""Readers of the published formats: from a file to arrays or spikes, one module a format.

Every reader refuses a file that is not what its format says, with the file, the cause and the fix.
"""

from surgrad.data.readers.aedat import read_aedat, read_gestures
from surgrad.data.readers.cameras import Recordings, bin_recordings
from surgrad.data.readers.fsdd import Clips, read_packed_clips, read_wavs
from surgrad.data.readers.heidelberg import Heidelberg, read_heidelberg
from surgrad.data.readers.idx import read_idx, read_labelled_images
from surgrad.data.readers.nmnist import read_bin, read_folder, read_packed_0to7, read_packed_small
from surgrad.data.readers.qtdb import read_qtdb

__all__ = [
    "Clips",
    "Heidelberg",
    "Recordings",
    "bin_recordings",
    "read_aedat",
    "read_bin",
    "read_folder",
    "read_gestures",
    "read_heidelberg",
    "read_idx",
    "read_labelled_images",
    "read_packed_0to7",
    "read_packed_clips",
    "read_packed_small",
    "read_qtdb",
    "read_wavs",
]
