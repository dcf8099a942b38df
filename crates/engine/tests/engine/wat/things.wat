;; Has a resource, `thing`, whose destructor counts: `alive` is how many were made and not dropped.
(component
  (core module $dropping
    (global $alive (export "alive") (mut i32) (i32.const 0))
    (func (export "drop") (param i32) (global.set $alive (i32.sub (global.get $alive) (i32.const 1)))))
  (core instance $dropping (instantiate $dropping))
  (type $thing (resource (rep i32) (dtor (core func $dropping "drop"))))
  (core func $new (canon resource.new $thing))
  (core module $m
    (import "i" "new" (func $new (param i32) (result i32)))
    (import "i" "alive" (global $alive (mut i32)))
    (func (export "make") (param i32) (result i32)
      (global.set $alive (i32.add (global.get $alive) (i32.const 1)))
      (call $new (local.get 0)))
    (func (export "get") (param i32) (result i32) (local.get 0))
    (func (export "alive") (result i32) (global.get $alive)))
  (core instance $i (instantiate $m (with "i" (instance
    (export "new" (func $new)) (export "alive" (global $dropping "alive"))))))
  (func $make (param "n" u32) (result (own $thing)) (canon lift (core func $i "make")))
  (func $get (param "self" (borrow $thing)) (result u32) (canon lift (core func $i "get")))
  (func $alive (result u32) (canon lift (core func $i "alive")))
  (component $things
    (import "t" (type $t (sub resource)))
    (import "make" (func $make (param "n" u32) (result (own $t))))
    (import "get" (func $get (param "self" (borrow $t)) (result u32)))
    (import "alive" (func $alive (result u32)))
    (export $thing "thing" (type $t))
    (export "[constructor]thing" (func $make) (func (param "n" u32) (result (own $thing))))
    (export "[method]thing.get" (func $get) (func (param "self" (borrow $thing)) (result u32)))
    (export "alive" (func $alive)))
  (instance $things (instantiate $things
    (with "t" (type $thing)) (with "make" (func $make)) (with "get" (func $get)) (with "alive" (func $alive))))
  (export "test:unit/things@1.0.0" (instance $things)))
