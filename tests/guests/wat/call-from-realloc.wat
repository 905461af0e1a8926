;; Calls the host while the host writes into it.
(import "hookloom:plugin/clock@0.1.0" (instance $clock (export "now-ms" (func (result u64)))))
(core func $now-ms (canon lower (func $clock "now-ms")))
(core instance $host (export "now-ms" (func $now-ms)))
;; module
(import "host" "now-ms" (func $now-ms (result i64)))
(func (export "realloc") (param i32 i32 i32 i32) (result i32)
  (drop (call $now-ms))
  (i32.const 65536))
