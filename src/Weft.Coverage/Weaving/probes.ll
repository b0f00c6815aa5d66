; The probe that CoverageInstrument.cs puts at the entry of functions. It is linked into each woven module and inlined by
; the optimiser (also at -O0, which honours alwaysinline). The state and the slow path are in runtime/coverage.c.

; { how far this thread's counters are from those in the module's own data, the same for bitmaps }; null until the thread has some.
@__weft_coverage_state = external hidden thread_local(initialexec) global { ptr, ptr }

declare ptr @llvm.threadlocal.address.p0(ptr)

; At a function's entry: how far this thread's counters are from the module's own.
define weak_odr hidden ptr @weft.coverage.enter() alwaysinline nounwind noprofile {
  %slot = call ptr @llvm.threadlocal.address.p0(ptr @__weft_coverage_state)
  %known = load ptr, ptr %slot, align 8
  %new = icmp eq ptr %known, null
  br i1 %new, label %start, label %ready, !prof !0

start:
  %given = call preserve_mostcc ptr @__weft_coverage_thread_start()
  br label %ready

ready:
  %shift = phi ptr [ %known, %0 ], [ %given, %start ]
  ret ptr %shift
}

; The same behind a call, which may have come back on another thread. To read it again costs less than a register that has to
; be saved across the call.
define weak_odr hidden ptr @weft.coverage.shift() alwaysinline nounwind noprofile {
  %slot = call ptr @llvm.threadlocal.address.p0(ptr @__weft_coverage_state)
  %shift = load ptr, ptr %slot, align 8
  ret ptr %shift
}

; The same for a byte of a bitmap.
define weak_odr hidden ptr @weft.coverage.own_bits(i64 %byte) alwaysinline nounwind noprofile {
  %state = call ptr @llvm.threadlocal.address.p0(ptr @__weft_coverage_state)
  %slot = getelementptr inbounds { ptr, ptr }, ptr %state, i64 0, i32 1
  %shift = load ptr, ptr %slot, align 8
  %own = getelementptr i8, ptr %shift, i64 %byte
  ret ptr %own
}

; How far the counters that all threads share are from the module's own; null until the runtime has come to it.
@__weft_coverage_shared = external hidden global ptr

; --coverage-counters atomic: one set of counters for all threads.
define weak_odr hidden void @weft.coverage.add_shared(i64 %counter, i64 %amount) alwaysinline nounwind noprofile {
  %shift = load ptr, ptr @__weft_coverage_shared, align 8
  %own = getelementptr i8, ptr %shift, i64 %counter
  %before = atomicrmw add ptr %own, i64 %amount monotonic, align 8
  ret void
}

; Whether a counter is set: 1 or 0.
define weak_odr hidden i64 @weft.coverage.known(ptr %counter) alwaysinline nounwind noprofile {
  %known = load atomic i8, ptr %counter monotonic, align 8
  %set = icmp ne i8 %known, 0
  %result = zext i1 %set to i64
  ret i64 %result
}

declare hidden preserve_mostcc ptr @__weft_coverage_thread_start() cold nounwind

!0 = !{!"branch_weights", i32 1, i32 1048575}
