//! Plugins' own metrics, from the guest to the text that Prometheus reads.

use hookloom_testkit::guests::guest_with_kv;

use super::grants;

#[test]
fn what_a_guest_measures_is_rendered_under_its_name_with_its_labels() {
    let room = grants::room(guest_with_kv(), &["kv"]);
    let acts = r#"["count","seen",2,{"provider":"stripe"}],["count","seen",3,{"provider":"stripe"}],
        ["count","seen",1],["observe","amount",2.5,{"currency":"EUR","provider":"stripe"}],
        ["observe","seen",1],["count","amount",1],["count","Bad",1],["count","seen",1,{"plugin":"other"}]"#;
    room.call(&format!(r#"{{"do":"state","acts":[{acts}]}}"#));
    let text = room.metrics.render();
    for line in [
        r#"hookloom_plugin_seen_total{plugin="guest",provider="stripe"} 5"#,
        r#"hookloom_plugin_seen_total{plugin="guest"} 1"#,
        r#"hookloom_plugin_amount_sum{plugin="guest",currency="EUR",provider="stripe"} 2.5"#,
        r#"hookloom_plugin_amount_count{plugin="guest",currency="EUR",provider="stripe"} 1"#,
        r#"hookloom_plugin_metrics_dropped_total{plugin="guest"} 4"#,
    ] {
        assert!(text.contains(&format!("{line}\n")), "{line} is missing in\n{text}");
    }
    assert_eq!(room.host.status()[0].metrics_dropped, 4);
}
