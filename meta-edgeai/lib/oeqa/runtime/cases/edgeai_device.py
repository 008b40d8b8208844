"""What the agent finds inside the image under test; the product has no agent and is not asked."""

import json
from pathlib import Path

from oeqa.core.decorator.depends import OETestDepends
from oeqa.runtime.case import OERuntimeTestCase
from oeqa.runtime.decorator.package import OEHasPackage


class EdgeaiDeviceTest(OERuntimeTestCase):
    @property
    def contents(self):
        """What the build says that the image has."""
        return json.loads(Path(self.target.image).with_suffix(".contents.json").read_text())

    @OEHasPackage(["edgeai-test-agent"])
    @OETestDepends(["edgeai_boot.EdgeaiBootTest.test_init_is_ready"])
    def test_the_agent_answers(self):
        status, output = self.target.run("/usr/bin/edgeai --version")
        self.assertEqual(status, 0, msg=output)
        self.assertIn("edgeai", output)

    @OETestDepends(["edgeai_device.EdgeaiDeviceTest.test_the_agent_answers"])
    def test_the_kernel_is_preempt_rt(self):
        self.assertIn("PREEMPT_RT", self.target.agent.ask("hello")["kernel"])

    @OETestDepends(["edgeai_device.EdgeaiDeviceTest.test_the_agent_answers"])
    def test_the_root_is_read_only_and_verified(self):
        mounts = [line.split() for line in self.target.agent.read("/proc/mounts").decode().splitlines()]
        root = next(fields for fields in mounts if fields[1] == "/")
        self.assertEqual(root[2], "erofs")
        self.assertIn("ro", root[3].split(","))
        self.assertEqual(self.target.agent.read("/sys/block/dm-0/dm/name").strip(), b"root")
        self.assertIn(self.contents["root"]["verity"]["root_hash"], self.target.agent.read("/proc/cmdline").decode())

    @OETestDepends(["edgeai_device.EdgeaiDeviceTest.test_the_agent_answers"])
    def test_every_file_is_what_was_built(self):
        for entry in self.contents["root"]["files"]:
            found = self.target.agent.ask("stat", path=entry["path"])
            self.assertEqual(found["bytes"], entry["bytes"], msg=entry["path"])

    @OETestDepends(["edgeai_device.EdgeaiDeviceTest.test_the_agent_answers"])
    def test_decisions_go_on(self):
        self.target.wait_for(r"first decision \d+ ms after start")
        before = self.target.agent.metrics()["frames"]
        self.target.wait_until("a further decision", lambda: self.target.agent.metrics()["frames"] > before)
