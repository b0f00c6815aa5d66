; The two probes of the metering instrument. They are linked into each woven module, called where MeteringInstrument.cs
; says, and inlined by the optimiser (also at -O0, which honours alwaysinline). The state and the slow path are in
; runtime/metering.c; the layout here is its ABI, version 1.

; { units of this thread, its cells: one per function of the process }
@__weft_metering_v1 = external thread_local(initialexec) global { i64, ptr }

declare ptr @llvm.threadlocal.address.p0(ptr)

; Registers the thread on its first entry into woven code. The record goes to the runtime, which does not need it, so
; that its address escapes: the optimiser may then neither split the record nor take its cell for the constant 0.
define weak_odr hidden void @weft.metering.enter(ptr %record) alwaysinline nounwind noprofile {
  %state = call ptr @llvm.threadlocal.address.p0(ptr @__weft_metering_v1)
  %slot = getelementptr inbounds { i64, ptr }, ptr %state, i64 0, i32 1
  %cells = load ptr, ptr %slot, align 8
  %new = icmp eq ptr %cells, null
  br i1 %new, label %start, label %ready, !prof !0

start:
  call void @__weft_metering_thread_start(ptr %record)
  br label %ready

ready:
  ret void
}

; Charges units to the thread and to the cell that the runtime gave the function's record.
define weak_odr hidden void @weft.metering.flush(i64 %units, ptr %record) alwaysinline nounwind noprofile {
  %state = call ptr @llvm.threadlocal.address.p0(ptr @__weft_metering_v1)
  %before = load i64, ptr %state, align 8
  %after = add i64 %before, %units
  store i64 %after, ptr %state, align 8
  %slot = getelementptr inbounds { i64, ptr }, ptr %state, i64 0, i32 1
  %cells = load ptr, ptr %slot, align 8
  %index = load i64, ptr %record, align 8
  %cell = getelementptr inbounds i64, ptr %cells, i64 %index
  %cell.before = load i64, ptr %cell, align 8
  %cell.after = add i64 %cell.before, %units
  store i64 %cell.after, ptr %cell, align 8
  ret void
}

declare void @__weft_metering_thread_start(ptr) cold nounwind

!0 = !{!"branch_weights", i32 1, i32 1048575}
