; The probes of the metering instrument. MIDDLE calls them by name; BACK links them into the module and inlines them. The state
; and the slow paths are in runtime/metering.c; the layout here is its ABI, version 2.

; { units the thread may still do until the runtime has to look, units given to it so far, its cells: one for each record }
@__weft_metering_v2 = external thread_local(initialexec) global { i64, i64, ptr }

declare ptr @llvm.threadlocal.address.p0(ptr)

; Charges units. Below zero nobody looks yet: a check will.
define weak_odr hidden void @weft.metering.charge(i64 %units) alwaysinline nounwind noprofile {
  %state = call ptr @llvm.threadlocal.address.p0(ptr @__weft_metering_v2)
  %before = load i64, ptr %state, align 8
  %after = sub i64 %before, %units
  store i64 %after, ptr %state, align 8
  ret void
}

; Charges units and looks: two instructions where something is left.
define weak_odr hidden void @weft.metering.check(i64 %units) alwaysinline noprofile {
  %state = call ptr @llvm.threadlocal.address.p0(ptr @__weft_metering_v2)
  %before = load i64, ptr %state, align 8
  %after = sub i64 %before, %units
  store i64 %after, ptr %state, align 8
  %spent = icmp slt i64 %after, 0
  br i1 %spent, label %look, label %go, !prof !0
look:
  call preserve_mostcc void @__weft_metering_spent(i64 0) cold
  br label %go
go:
  ret void
}

; In a loop that keeps its charges in a register: are they more than what is left?
define weak_odr hidden void @weft.metering.due(i64 %pending) alwaysinline noprofile {
  %state = call ptr @llvm.threadlocal.address.p0(ptr @__weft_metering_v2)
  %left = load i64, ptr %state, align 8
  %spent = icmp slt i64 %left, %pending
  br i1 %spent, label %look, label %go, !prof !0
look:
  call preserve_mostcc void @__weft_metering_spent(i64 %pending) cold
  br label %go
go:
  ret void
}

; --metering-limits exact: the same, and a callback may throw.
define weak_odr hidden void @weft.metering.check.unwinding(i64 %units) alwaysinline noprofile {
  %state = call ptr @llvm.threadlocal.address.p0(ptr @__weft_metering_v2)
  %before = load i64, ptr %state, align 8
  %after = sub i64 %before, %units
  store i64 %after, ptr %state, align 8
  %spent = icmp slt i64 %after, 0
  br i1 %spent, label %look, label %go, !prof !0
look:
  call void @__weft_metering_spent_unwinding(i64 0) cold
  br label %go
go:
  ret void
}

define weak_odr hidden void @weft.metering.due.unwinding(i64 %pending) alwaysinline noprofile {
  %state = call ptr @llvm.threadlocal.address.p0(ptr @__weft_metering_v2)
  %left = load i64, ptr %state, align 8
  %spent = icmp slt i64 %left, %pending
  br i1 %spent, label %look, label %go, !prof !0
look:
  call void @__weft_metering_spent_unwinding(i64 %pending) cold
  br label %go
go:
  ret void
}

; --metering-detail: what the thread has charged by function.
define weak_odr hidden void @weft.metering.attribute(ptr %record, i64 %units) alwaysinline nounwind noprofile {
  %state = call ptr @llvm.threadlocal.address.p0(ptr @__weft_metering_v2)
  %slot = getelementptr inbounds { i64, i64, ptr }, ptr %state, i64 0, i32 2
  %cells = load ptr, ptr %slot, align 8
  %new = icmp eq ptr %cells, null
  br i1 %new, label %start, label %ready, !prof !0
start:
  %given = call ptr @__weft_metering_cells(ptr %record)
  br label %ready
ready:
  %own = phi ptr [ %cells, %0 ], [ %given, %start ]
  %index = load i64, ptr %record, align 8
  %cell = getelementptr inbounds i64, ptr %own, i64 %index
  %before = load i64, ptr %cell, align 8
  %after = add i64 %before, %units
  store i64 %after, ptr %cell, align 8
  ret void
}

declare preserve_mostcc void @__weft_metering_spent(i64)
declare void @__weft_metering_spent_unwinding(i64)
declare ptr @__weft_metering_cells(ptr) cold nounwind

!0 = !{!"branch_weights", i32 1, i32 1048575}
