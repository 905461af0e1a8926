;; Subscribes to timers and keeps them.
(import "wasi:io/poll@0.2.0" (instance $poll (export "pollable" (type (sub resource)))))
(alias export $poll "pollable" (type $pollable))
(import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
  (alias outer 1 $pollable (type $outer))
  (export "pollable" (type $own (eq $outer)))
  (export "subscribe-duration" (func (param "when" u64) (result (own $own))))))
(core func $subscribe (canon lower (func $clock "subscribe-duration")))
(core instance $host (export "subscribe" (func $subscribe)))
;; module
(import "host" "subscribe" (func $subscribe (param i64) (result i32)))
(func (export "transform") (param i32) (result i32)
  (loop $on (drop (call $subscribe (i64.const 1))) (br $on))
  (unreachable))
