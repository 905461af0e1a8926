import unittest
from pathlib import Path

import plugin
from hookloom import drop, pass_
from hookloom.testing import event, run_fixtures


class Plugin(unittest.TestCase):
    def test_ignored_actions_are_dropped(self):
        plugin.configure({"ignore": ["labeled"]})
        for action, verdict in [("labeled", drop("labeled is ignored")), ("opened", pass_())]:
            self.assertEqual(plugin.filter(event("github", body={"action": action})), verdict)

    def test_fixtures(self):
        run_fixtures(self, Path(__file__).parent / "fixtures", plugin)
