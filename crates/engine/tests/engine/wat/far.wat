;; Uses a resource that has another component's behind it: `run-all` drops it, `run-leak` does not, and `run-take` gives
;; one component what another made.
(component
  (import "test:resources/counters@0.1.0" (instance $counters
    (export "counter" (type $counter (sub resource)))
    (export "[constructor]counter" (func (param "start" u32) (result (own $counter))))))
  (alias export $counters "counter" (type $counter))
  (import "test:resources/relayed@0.1.0" (instance $relayed
    (export "counter" (type $c (eq $counter)))
    (export "relay" (type $relay (sub resource)))
    (export "[constructor]relay" (func (param "start" u32) (result (own $relay))))
    (export "[method]relay.increment"
      (func (param "self" (borrow $relay)) (param "by" u32) (result u32)))
    (export "take" (func (param "c" (own $c)) (result u32)))))
  (alias export $relayed "relay" (type $relay))
  (core func $counter (canon lower (func $counters "[constructor]counter")))
  (core func $make (canon lower (func $relayed "[constructor]relay")))
  (core func $increment (canon lower (func $relayed "[method]relay.increment")))
  (core func $take (canon lower (func $relayed "take")))
  (core func $drop (canon resource.drop $relay))
  (core module $m
    (import "i" "counter" (func $counter (param i32) (result i32)))
    (import "i" "make" (func $make (param i32) (result i32)))
    (import "i" "increment" (func $increment (param i32 i32) (result i32)))
    (import "i" "take" (func $take (param i32) (result i32)))
    (import "i" "drop" (func $drop (param i32)))
    (func $use (result i32) (local $r i32)
      (local.set $r (call $make (i32.const 1)))
      (if (i32.ne (call $increment (local.get $r) (i32.const 1)) (i32.const 2)) (then unreachable))
      (if (i32.ne (call $increment (local.get $r) (i32.const 1)) (i32.const 3)) (then unreachable))
      (local.get $r))
    (func (export "all") (call $drop (call $use)))
    (func (export "leak") (result i32) (call $use))
    (func (export "take") (drop (call $take (call $counter (i32.const 1))))))
  (core instance $i (instantiate $m (with "i" (instance
    (export "counter" (func $counter)) (export "make" (func $make)) (export "increment" (func $increment))
    (export "take" (func $take)) (export "drop" (func $drop))))))
  (func $all (canon lift (core func $i "all")))
  (func $leak (result u32) (canon lift (core func $i "leak")))
  (func $take (canon lift (core func $i "take")))
  (instance $driver
    (export "run-all" (func $all)) (export "run-leak" (func $leak)) (export "run-take" (func $take)))
  (export "test:resources/driver@0.1.0" (instance $driver)))
