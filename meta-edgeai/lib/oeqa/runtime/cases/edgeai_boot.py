"""What the console tells of any image of the product: own loader, checked slot, first process, appliance."""

from pathlib import Path

from edgeai import image
from oeqa.core.decorator.depends import OETestDepends
from oeqa.runtime.case import OERuntimeTestCase


class EdgeaiBootTest(OERuntimeTestCase):
    def test_the_loader_boots_a_checked_slot(self):
        self.target.wait_for(r"^edgeai: boot-a$")
        self.target.wait_for(r"Verifying Hash Integrity .*sha256\+ OK")

    @OETestDepends(["edgeai_boot.EdgeaiBootTest.test_the_loader_boots_a_checked_slot"])
    def test_init_is_ready(self):
        self.target.wait_for(r"edgeai-init: ready in \d+ ms \(data ready\)")

    @OETestDepends(["edgeai_boot.EdgeaiBootTest.test_init_is_ready"])
    def test_the_appliance_decides_or_says_why_it_is_safe(self):
        """With its simulators the image under test decides; an emulated board has no camera for the product."""
        test = "edgeai-test-agent" in self.tc.image_packages
        self.target.wait_for(r"first decision \d+ ms after start" if test else r"safe: .*camera")

    def test_the_table_is_the_project_s(self):
        """wic wrote the table of conf/image/partitions.toml, flags of the data partition included."""
        written = image.written_table(Path(self.target.image))
        self.assertEqual(written.pop("partition"), image.partitions(bool(self.td.get("EDGEAI_ROM_FILES"))))
        self.assertEqual(written, {key: image.table()[key] for key in ("disk_uuid", "loader_mib")})
