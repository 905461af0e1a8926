;; Spends its time in the host.
(import "hookloom:plugin/clock@0.1.0" (instance $clock (export "now-ms" (func (result u64)))))
(core func $now-ms (canon lower (func $clock "now-ms")))
(core instance $host (export "now-ms" (func $now-ms)))
;; module
(import "host" "now-ms" (func $now-ms (result i64)))
(func (export "transform") (param i32) (result i32)
  (loop $on (drop (call $now-ms)) (br $on))
  (unreachable))
