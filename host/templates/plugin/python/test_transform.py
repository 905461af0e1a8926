import unittest
from pathlib import Path

import plugin
from hookloom import Message, drop, replace, unchanged
from hookloom.testing import event, run_fixtures


class Plugin(unittest.TestCase):
    def test_only_some_keys_are_sent(self):
        plugin.configure({"keep": ["action"]})
        cases = [
            ({"action": "opened", "repository": {}}, replace(Message.json({"action": "opened"}))),
            ({"action": "opened"}, unchanged()),
            ({"zen": "x"}, drop("nothing of it is kept")),
        ]
        for body, outcome in cases:
            self.assertEqual(plugin.transform(event("github", body=body)), outcome)

    def test_fixtures(self):
        run_fixtures(self, Path(__file__).parent / "fixtures", plugin)
