"""Where the published data sets come from, and how to tell that a file is whole.

A digest is `algorithm:hex`. That of a `.gz` file is of its uncompressed contents, because the
same contents are published with more than one compression; that of a folder is of its list, one
line `{sha256}  {name}` a file. Where nobody has published one it is None, checksum unknown.
"""

from __future__ import annotations

from dataclasses import dataclass

IDX = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")


@dataclass(frozen=True)
class Archive:
    """A `.zip` that a file or folder is unpacked from.

    Attributes:
        digest: of the archive itself.
        members: a pattern of the names to unpack; its first group is the name under `Item.path`.
    """

    digest: str | None
    members: str


@dataclass(frozen=True)
class Item:
    """A file or a folder of a data set.

    Attributes:
        path: its place under the data root.
        digest: of its contents.
        urls: where it can be fetched, in the order to try; none where only its maker has it.
        archive: set if what is fetched is an archive.
        files: a pattern of the files in it, if it is a folder.
        count: how many they are.
        page: where people, not programs, can fetch it.
    """

    path: str
    digest: str | None = None
    urls: tuple[str, ...] = ()
    archive: Archive | None = None
    files: str | None = None
    count: int = 1
    page: str = ""


def _idx(folder: str, mirrors: tuple[str, ...], digests: tuple[str, ...]) -> tuple[Item, ...]:
    return tuple(
        Item(
            f"{folder}/{name}-ubyte.gz",
            f"sha256:{digest}",
            tuple(f"{mirror}{name}-ubyte.gz" for mirror in mirrors),
        )
        for name, digest in zip(IDX, digests, strict=True)
    )


def _raw(folder: str, base: str, digests: dict[str, str]) -> tuple[Item, ...]:
    return tuple(
        Item(f"{folder}/{name}", f"sha256:{digest}", (f"{base}{name}",))
        for name, digest in digests.items()
    )


def _heidelberg(folder: str, md5: dict[str, str]) -> tuple[Item, ...]:
    hosts = ("https://zenkelab.org/datasets/", "https://compneuro.net/datasets/")
    return tuple(
        Item(
            f"{folder}/{name}.h5",
            urls=tuple(f"{host}{name}.h5.zip" for host in hosts),
            archive=Archive(f"md5:{digest}", rf"(?:.*/)?({name}\.h5)"),
        )
        for name, digest in md5.items()
    )


_MENDELEY = "https://data.mendeley.com/public-files/datasets/468j46mzdv/files/"
_CODELOAD = "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/"
_RAW = "https://raw.githubusercontent.com/"

SOURCES: dict[str, dict[str, tuple[Item, ...]]] = {
    "mnist": {
        "official": _idx(
            "mnist",
            (
                "https://storage.googleapis.com/cvdf-datasets/mnist/",
                "https://ossci-datasets.s3.amazonaws.com/mnist/",
            ),
            (
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
        )
    },
    "fashion_mnist": {
        "official": _idx(
            "fashion_mnist",
            (
                _RAW + "zalandoresearch/fashion-mnist/master/data/fashion/",
                "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            ),
            (
                "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            ),
        )
    },
    "fsdd": {
        "official": (
            Item(
                "fsdd/recordings",
                "sha256:048d4a35c25a99138109f9c400bbe4392a9f5e07eb7bc98350f27b5a0fd11269",
                (_CODELOAD + "26eb9aaf76e81b692f806f9140c2d2777410d7a1.zip",),
                # the host builds this archive anew, so only its contents have a checksum
                Archive(None, r"[^/]+/recordings/(\d_[a-z]+_\d+\.wav)"),
                files="*.wav",
                count=3000,
            ),
        ),
        "packed": (
            Item(
                "fsdd/fsdd.npz",
                "sha256:ff47c07680a7eae9ccc2d45034840864b552c001c4db94dbb99f7ce56efa88db",
            ),
        ),
    },
    "qtdb_ecg": {
        "official": _raw(
            "qtdb_ecg",
            _RAW + "byin-cwi/Efficient-spiking-networks/"
            "bfd47cff62d26b0812bb2cc24c5f220245443a32/data/",
            {
                "QTDB_train.mat": "72d1a10c96f1540880447e07256835d6"
                "6da419c0b34f3dff495731a7928c5bc7",
                "QTDB_test.mat": "916f11e21679a5b61988305bbb7cd1e6df8b34f1ed4a157a7a4e295d400ef232",
            },
        )
    },
    "nmnist": {
        "official": tuple(
            Item(
                f"nmnist/{part}",
                urls=(f"{_MENDELEY}{name}/file_downloaded",),
                archive=Archive(f"md5:{digest}", rf"(?:.*/)?{part}/(\d/\d+\.bin)"),
                files="*.bin",
                count=count,
            )
            for part, name, digest, count in (
                (
                    "Train",
                    "39c25547-014b-4137-a934-9d29fa53c7a0",
                    "20959b8e626244a1b502305a9e6e2031",
                    60_000,
                ),
                (
                    "Test",
                    "05a4d654-7e03-4c15-bdfa-9bb2bcbea494",
                    "69ca8762b2fe404d9b9bad1103e97832",
                    10_000,
                ),
            )
        ),
        "small": (
            Item(
                "nmnist_small/nmnist_small.npz",
                "sha256:7dc9ceb5f08c3399bd11a5e3de02658e7e32c37a1586f4ab1e59a941203ed25f",
            ),
        ),
        "0to7": (
            Item(
                "nmnist_0to7/nmnist_0to7_1ms.npz",
                "sha256:64df7bcbf972575e75c747795cdd11a421759d99bd2062e27b5fb823b2c22213",
            ),
        ),
    },
    "dvs_gesture": {
        "official": (
            Item(
                "dvs_gesture",
                files="*.aedat",
                count=122,
                page="https://research.ibm.com/interactive/dvsgesture/",
            ),
        )
    },
    "shd": {
        "official": _heidelberg(
            "shd",
            {
                "shd_train": "f3252aeb598ac776c1b526422d90eecb",
                "shd_test": "1503a5064faa34311c398fb0a1ed0a6f",
            },
        )
    },
    "ssc": {
        "official": _heidelberg(
            "ssc",
            {
                "ssc_train": "d102be95e7144fcc0553d1f45ba94170",
                "ssc_valid": "b4eee3516a4a90dd0c71a6ac23a8ae43",
                "ssc_test": "a35ff1e9cffdd02a20eb850c17c37748",
            },
        )
    },
    "yin_yang": {
        "authors": _raw(
            "yin_yang",
            _RAW + "lkriener/yin_yang_data_set/"
            "e6eef9617b1dbd30d1f01508d462275747ae45b1/publication_data/",
            {
                "train_samples.npy": "88ce43d8e7620b4dcd0712a582882325"
                "e609183eb71f2368cce8e87930e122d5",
                "train_labels.npy": "d38863599b41c3d67d5e606b21c3ea10"
                "f7956758471e946adcb120c4e5ae31c9",
                "validation_samples.npy": "88f7e23daf578da390fe3ca10370d38f"
                "db6060a08249ecb1be832e3e6cce75d3",
                "validation_labels.npy": "abd956deb8e62f528a271d323c7498e6"
                "d331cd261f143b539b1219d274936008",
                "test_samples.npy": "1559e64b45a5e28df8a9d1158d891383"
                "d5745b0af2edbbca31ca4e2faeb95b4c",
                "test_labels.npy": "b4337aa983ea3928d1d8ee78268e8e26"
                "6ede6ca3a401ade7b02eb47c9d90be93",
            },
        )
    },
}
