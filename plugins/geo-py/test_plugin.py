import unittest
from pathlib import Path
from types import SimpleNamespace
from unittest import SkipTest

import plugin
from hookloom import InvalidInput, Message, drop, pass_, split
from hookloom.testing import check, event, run_fixtures


class Plugin(unittest.TestCase):
    def test_the_header_tells(self):
        plugin.configure({"allow": ["nordic", "US"]})
        for country, verdict in [("no", pass_()), ("US", pass_()), ("DE", drop("DE is not allowed"))]:
            self.assertEqual(plugin.filter(event(headers={"CF-IPCountry": country})), verdict)

    def test_a_key_of_the_body_tells(self):
        plugin.configure({"key": "address.country"})
        self.assertEqual(plugin.filter(event(body={"address": {"country": "FR"}})), pass_())
        for body in [{"address": "FR"}, {"address": {"country": 3}}, []]:
            with self.assertRaises(InvalidInput):
                plugin.filter(event(body=body))

    def test_what_is_no_country_is_refused(self):
        for given in [{"allow": ["Germany"]}, {"alow": []}, {"allow": "DE"}]:
            with self.assertRaises(ValueError):
                plugin.configure(given)

    def hold(self, expect, answer, **more):
        """One fixture on an answer."""
        fixture = {"event": {"source": "s", "body": {"a": 1}}, "expect": expect, **more}
        check(self, fixture, SimpleNamespace(transform=lambda event: answer))

    def test_a_fixture_holds_all_that_it_expects(self):
        message = Message(
            body=b"text",
            headers={"X-A": "1"},
            remove_headers=["X-B"],
            type="renamed",
            destinations=["crm"],
            attributes={"tier": "gold"},
            idempotency_suffix="/1",
        )
        right = {
            "body_text": "text",
            "headers": {"x-a": "1"},
            "removed_headers": ["x-b"],
            "type": "renamed",
            "destinations": ["crm"],
            "attributes": {"tier": "gold"},
            "suffix": "/1",
        }
        for expected in (right, {"body_base64": "dGV4dA=="}):
            self.hold({"outcome": "split", "messages": [expected]}, split([message]))
        wrong = {
            "body_text": "other",
            "body_base64": "b3RoZXI=",
            "headers": {"x-a": ["1", "2"]},
            "removed_headers": [],
            "type": "x",
            "destinations": [],
            "attributes": {"tier": "tin"},
            "suffix": "/2",
            "sufix": "/1",
        }
        for key, value in wrong.items():
            with self.assertRaises(AssertionError, msg=key):
                self.hold({"outcome": "split", "messages": [{key: value}]}, split([message]))

    def test_a_fixture_holds_the_reason_and_says_nothing_that_is_not_understood(self):
        self.hold({"outcome": "drop", "reason": "too small"}, drop("the order is too small"))
        for expect, more, why in [
            ({"outcome": "drop", "reason": "too large"}, {}, "reason"),
            ({"outcome": "drop", "resaon": "x"}, {}, "unknown field `resaon`"),
            ({"outcome": "drop"}, {"conifg": {}}, "unknown field `conifg`"),
            ({"reason": "x"}, {}, "has to name one of"),
        ]:
            with self.assertRaisesRegex(AssertionError, why):
                self.hold(expect, drop("the order is too small"), **more)

    def test_what_only_the_sandbox_can_decide_is_skipped(self):
        for expect, more, left in [
            ({"error": "timeout"}, {}, "timeout"),
            ({"outcome": "drop", "state": {"seen": 1}}, {}, "expect.state"),
            ({"outcome": "drop"}, {"secrets": {"KEY": "k"}}, "secrets"),
        ]:
            with self.assertRaisesRegex(SkipTest, left):
                self.hold(expect, None, **more)

    def test_fixtures(self):
        run_fixtures(self, Path(__file__).parent / "fixtures", plugin)
