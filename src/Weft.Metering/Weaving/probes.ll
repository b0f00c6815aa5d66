; The probes of the metering instrument. MIDDLE calls them by name; BACK links them into the module and inlines them. The state
; and the slow paths are in runtime/metering.c; the layout here is its ABI, version 2.

; { units the thread may still do until the runtime has to look, units given to it so far, its cells: one for each record }
@__weft_metering_v2 = external thread_local(initialexec) global { i64, i64, ptr }

declare ptr @llvm.threadlocal.address.p0(ptr)
declare i64 @llvm.smax.i64(i64, i64)

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
  call preserve_mostcc void @__weft_metering_overdrawn() cold
  br label %go
go:
  ret void
}

; A sum as one value. LLVM would subtract its parts one by one from what it has loaded, and then store that: four instructions for two.
define weak_odr hidden i64 @weft.metering.sum(i64 %units) alwaysinline nounwind noprofile {
  %sum = call i64 asm "", "=r,0"(i64 %units)
  ret i64 %sum
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

; How many rounds of a loop may begin before one's point has to look; at least one.
define weak_odr hidden i64 @weft.metering.room(i64 %pending, i64 %units) alwaysinline nounwind noprofile {
  %state = call ptr @llvm.threadlocal.address.p0(ptr @__weft_metering_v2)
  %left = load i64, ptr %state, align 8
  %rest = sub i64 %left, %pending
  %known = call i64 @llvm.smax.i64(i64 %rest, i64 0)
  %more = udiv i64 %known, %units
  %rounds = add i64 %more, 1
  ret i64 %rounds
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

; --metering-detail calls: where the thread is in its tree of calls.
; { the node; what leads from a node to where its counts go }
@__weft_metering_calls_v2 = external thread_local(initialexec) global { ptr, i64 }

; { units, calls, key, the child called last, the line of the call being made }
%node = type { i64, i64, i64, ptr, i32 }

define weak_odr hidden ptr @weft.metering.current() alwaysinline nounwind noprofile {
  %calls = call ptr @llvm.threadlocal.address.p0(ptr @__weft_metering_calls_v2)
  %current = load ptr, ptr %calls, align 8
  ret ptr %current
}

; A function is mostly called as the last time: the caller's last child is the one.
define weak_odr hidden ptr @weft.metering.enter(ptr %record, ptr %caller) alwaysinline nounwind noprofile {
  %calls = call ptr @llvm.threadlocal.address.p0(ptr @__weft_metering_calls_v2)
  %first = icmp eq ptr %caller, null
  br i1 %first, label %find, label %compare, !prof !0
compare:
  %last.slot = getelementptr inbounds %node, ptr %caller, i64 0, i32 3
  %last = load ptr, ptr %last.slot, align 8
  %last.key.slot = getelementptr inbounds %node, ptr %last, i64 0, i32 2
  %last.key = load i64, ptr %last.key.slot, align 8
  %cell = load i64, ptr %record, align 8
  %high = shl i64 %cell, 32
  %line.slot = getelementptr inbounds %node, ptr %caller, i64 0, i32 4
  %line = load i32, ptr %line.slot, align 8
  %low = zext i32 %line to i64
  %key = or i64 %high, %low
  %same = icmp eq i64 %key, %last.key
  br i1 %same, label %go, label %find
find:
  %found = call ptr @__weft_metering_find(ptr %record)
  br label %go
go:
  %own = phi ptr [ %last, %compare ], [ %found, %find ]
  store ptr %own, ptr %calls, align 8
  %shift.slot = getelementptr inbounds { ptr, i64 }, ptr %calls, i64 0, i32 1
  %shift = load i64, ptr %shift.slot, align 8
  %counts = getelementptr inbounds i8, ptr %own, i64 %shift
  %slot = getelementptr inbounds %node, ptr %counts, i64 0, i32 1
  %before = load i64, ptr %slot, align 8
  %after = add i64 %before, 1
  store i64 %after, ptr %slot, align 8
  ret ptr %own
}

define weak_odr hidden ptr @weft.metering.find(ptr %record) alwaysinline nounwind noprofile {
  %found = call ptr @__weft_metering_find(ptr %record)
  ret ptr %found
}

define weak_odr hidden void @weft.metering.leave(ptr %caller) alwaysinline nounwind noprofile {
  %calls = call ptr @llvm.threadlocal.address.p0(ptr @__weft_metering_calls_v2)
  store ptr %caller, ptr %calls, align 8
  ret void
}

define weak_odr hidden void @weft.metering.calls(ptr %own, i32 %line) alwaysinline nounwind noprofile {
  %calls = call ptr @llvm.threadlocal.address.p0(ptr @__weft_metering_calls_v2)
  store ptr %own, ptr %calls, align 8
  %slot = getelementptr inbounds %node, ptr %own, i64 0, i32 4
  store i32 %line, ptr %slot, align 8
  ret void
}

define weak_odr hidden void @weft.metering.count(ptr %own, i64 %units) alwaysinline nounwind noprofile {
  %calls = call ptr @llvm.threadlocal.address.p0(ptr @__weft_metering_calls_v2)
  %shift.slot = getelementptr inbounds { ptr, i64 }, ptr %calls, i64 0, i32 1
  %shift = load i64, ptr %shift.slot, align 8
  %counts = getelementptr inbounds i8, ptr %own, i64 %shift
  %before = load i64, ptr %counts, align 8
  %after = add i64 %before, %units
  store i64 %after, ptr %counts, align 8
  ret void
}

declare preserve_mostcc void @__weft_metering_spent(i64)
declare preserve_mostcc void @__weft_metering_overdrawn()
declare void @__weft_metering_spent_unwinding(i64)
declare ptr @__weft_metering_find(ptr) cold nounwind
declare ptr @__weft_metering_cells(ptr) cold nounwind

!0 = !{!"branch_weights", i32 1, i32 1048575}
