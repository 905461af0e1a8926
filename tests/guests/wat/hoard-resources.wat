;; Makes resources of its own and keeps them; the host counts handles.
(type $thing (resource (rep i32)))
(core func $new (canon resource.new $thing))
(core instance $host (export "new" (func $new)))
;; module
(import "host" "new" (func $new (param i32) (result i32)))
(func (export "transform") (param i32) (result i32)
  (loop $on (drop (call $new (i32.const 0))) (br $on))
  (unreachable))
