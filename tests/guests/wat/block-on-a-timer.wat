;; Blocks on a timer of an hour in WASI itself, past every library.
(import "wasi:io/poll@0.2.0" (instance $poll
  (export "pollable" (type $pollable (sub resource)))
  (export "[method]pollable.block" (func (param "self" (borrow $pollable))))))
(alias export $poll "pollable" (type $pollable))
(import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
  (alias outer 1 $pollable (type $outer))
  (export "pollable" (type $own (eq $outer)))
  (export "subscribe-duration" (func (param "when" u64) (result (own $own))))))
(core func $subscribe (canon lower (func $clock "subscribe-duration")))
(core func $block (canon lower (func $poll "[method]pollable.block")))
(core instance $host (export "subscribe" (func $subscribe)) (export "block" (func $block)))
;; module
(import "host" "subscribe" (func $subscribe (param i64) (result i32)))
(import "host" "block" (func $block (param i32)))
(func (export "transform") (param i32) (result i32)
  (call $block (call $subscribe (i64.const 3600000000000)))
  (i32.const 0))
