using Weft.Core;

namespace Weft.Tracing;

/// <summary>
/// Perfetto's own format: a sequence of TracePackets. Every thread is a track and a packet sequence of its own, in which the name
/// of a function is written once and then referred to. Spans need not nest with calls or each other: each name of a thread has
/// a track below the thread's. Numbers of fields from protos/perfetto/trace in https://github.com/google/perfetto.
/// </summary>
public static class PerfettoExport
{
    /// <param name="output">Gets the trace.</param>
    /// <param name="source">For names.</param>
    /// <param name="calls">What each thread did.</param>
    public static void Write(Stream output, ITraceSource source, Func<TraceThread, IEnumerable<CallEvent>> calls)
    {
        using var writer = new ByteWriter(output);
        var packets = new Packets(writer, source);
        foreach (var process in source.Threads.Select(t => t.Process).Distinct()) packets.WriteProcess(process);
        foreach (var thread in source.Threads) packets.Write(thread, calls(thread));
    }

    private static class Trace { public const int Packet = 1; }

    private static class TracePacket
    {
        public const int Timestamp = 8, Sequence = 10, TrackEvent = 11, InternedData = 12, SequenceFlags = 13, Defaults = 59, TrackDescriptor = 60;

        public const int IncrementalStateCleared = 1, NeedsIncrementalState = 2;
    }

    private static class TrackDescriptor { public const int Uuid = 1, Name = 2, Process = 3, Thread = 4, ParentUuid = 5; }

    private static class ProcessDescriptor { public const int Pid = 1, CommandLine = 2, Name = 6; }

    private static class ThreadDescriptor { public const int Pid = 1, Tid = 2, Name = 5; }

    private static class TrackEvent
    {
        public const int Categories = 3, DebugAnnotations = 4, Type = 9, Name = 10, TrackUuid = 11, SourceLocation = 34;

        public const int SliceBegin = 1, SliceEnd = 2, Instant = 3;
    }

    private static class InternedData { public const int Categories = 1, Names = 2, SourceLocations = 4; }

    private static class Interned { public const int Id = 1, Text = 2, FunctionName = 3, Line = 4; }

    private static class DebugAnnotation { public const int Number = 4, Text = 6, Name = 10; }

    private sealed class Packets(ByteWriter writer, ITraceSource source)
    {
        private const long ProcessTracks = 1L << 32, ThreadTracks = 2L << 32, SpanTracks = 3L << 32;

        private readonly ProtoMessage packet = new(), trackEvent = new(), interned = new(), entry = new();
        private readonly Names names = new();
        private readonly Dictionary<int, TraceModule?> modules = [];
        private TraceThread thread = new(0, 0, 0, "");
        private Dictionary<int, long> spanTracks = [];
        private long tracks;

        private enum NameKind { Function, Module, Span, Event, Other }

        public void WriteProcess(long process)
        {
            var (descriptor, track) = (new ProtoMessage(), new ProtoMessage());
            descriptor.Add(ProcessDescriptor.Pid, process);
            foreach (var argument in source.Info.Arguments) descriptor.Add(ProcessDescriptor.CommandLine, argument);
            if (source.Info.Program is { Length: > 0 } program) descriptor.Add(ProcessDescriptor.Name, Path.GetFileName(program));
            track.Add(TrackDescriptor.Uuid, ProcessTracks + process);
            track.Add(TrackDescriptor.Process, descriptor);
            packet.Clear();
            packet.Add(TracePacket.TrackDescriptor, track);
            Write();
        }

        public void Write(TraceThread of, IEnumerable<CallEvent> events)
        {
            thread = of;
            spanTracks = [];
            names.Begin(of.Index);
            WriteThread();
            foreach (var e in events) Write(e);
        }

        /// <summary>The first packet of the thread's sequence: what it forgets of before, and whose events follow.</summary>
        private void WriteThread()
        {
            var (descriptor, track, defaults, eventDefaults) = (new ProtoMessage(), new ProtoMessage(), new ProtoMessage(), new ProtoMessage());
            descriptor.Add(ThreadDescriptor.Pid, thread.Process);
            descriptor.Add(ThreadDescriptor.Tid, thread.Id);
            if (thread.Name.Length > 0) descriptor.Add(ThreadDescriptor.Name, thread.Name);
            track.Add(TrackDescriptor.Uuid, ThreadTracks + thread.Index);
            track.Add(TrackDescriptor.ParentUuid, ProcessTracks + thread.Process);
            track.Add(TrackDescriptor.Thread, descriptor);
            eventDefaults.Add(TrackEvent.TrackUuid, ThreadTracks + thread.Index);
            defaults.Add(TracePacket.TrackEvent, eventDefaults);
            Begin(TracePacket.IncrementalStateCleared);
            packet.Add(TracePacket.Defaults, defaults);
            packet.Add(TracePacket.TrackDescriptor, track);
            Write();
        }

        private void Write(in CallEvent e)
        {
            interned.Clear();
            trackEvent.Clear();
            var track = e.Kind is CallKind.SpanBegin or CallKind.SpanEnd ? SpanTrack(e.Id) : 0;
            trackEvent.Add(TrackEvent.Type, e.Kind switch
            {
                CallKind.Begin or CallKind.SpanBegin => TrackEvent.SliceBegin,
                CallKind.End or CallKind.SpanEnd => TrackEvent.SliceEnd,
                _ => TrackEvent.Instant,
            });
            if (track != 0) trackEvent.Add(TrackEvent.TrackUuid, track);
            Describe(e);
            Begin(TracePacket.NeedsIncrementalState);
            packet.Add(TracePacket.Timestamp, e.Time);
            if (!interned.IsEmpty) packet.Add(TracePacket.InternedData, interned);
            packet.Add(TracePacket.TrackEvent, trackEvent);
            Write();
        }

        private void Describe(in CallEvent e)
        {
            switch (e.Kind)
            {
                case CallKind.Begin:
                    Function(e.Id);
                    if (e.Data.Length > 0) Annotate("arguments", CallValues.Text(source.Function(e.Id).Types, e.Data.Span, []));
                    break;
                case CallKind.End when e.Data.Length > 0:
                    Annotate("result", CallValues.Text(source.Function(e.Id).Types, [], e.Data.Span).TrimStart(' ', '='));
                    break;
                case CallKind.End when e.Certainty != Certainty.Seen:
                    Annotate("end", e.Certainty switch { Certainty.Unwound => "unwound", Certainty.Tail => "tail call", _ => "open" });
                    break;
                case CallKind.SpanBegin:
                    trackEvent.Add(TrackEvent.Name, Name(NameKind.Span, e.Id));
                    break;
                case CallKind.Event:
                    trackEvent.Add(TrackEvent.Name, Name(NameKind.Event, e.Id));
                    if (e.Data.Length > 0) Annotate("data", EventData.Text(e.Data.Span));
                    break;
                case CallKind.Lost:
                    trackEvent.Add(TrackEvent.Name, Name(NameKind.Other, 0));
                    Annotate("count", $"{e.Id}");
                    break;
                default:
                    break;
            }
        }

        private void Function(int id)
        {
            var name = names.Find(NameKind.Function, id, out var isNew);
            if (isNew) InternFunction(name, source.Function(id));
            trackEvent.Add(TrackEvent.Name, name);
            trackEvent.Add(TrackEvent.SourceLocation, name);
            if (!modules.TryGetValue(id, out var module)) modules[id] = module = source.Function(id).Module;
            if (module != null) trackEvent.Add(TrackEvent.Categories, Module(module));
        }

        private void InternFunction(long name, TraceFunction function)
        {
            Intern(InternedData.Names, name, function.Name);
            entry.Clear();
            entry.Add(Interned.Id, name);
            if (function.File.Length > 0) entry.Add(Interned.Text, function.File);
            entry.Add(Interned.FunctionName, function.Name);
            if (function.Line > 0) entry.Add(Interned.Line, function.Line);
            interned.Add(InternedData.SourceLocations, entry);
        }

        private long Module(TraceModule module)
        {
            var name = names.Find(NameKind.Module, module.Index, out var isNew);
            if (isNew) Intern(InternedData.Categories, name, Path.GetFileName(module.Path));
            return name;
        }

        private long Name(NameKind kind, int id)
        {
            var name = names.Find(kind, id, out var isNew);
            if (isNew) Intern(InternedData.Names, name, kind switch { NameKind.Span => source.SpanName(id), NameKind.Event => source.EventType(id), _ => "lost events" });
            return name;
        }

        private void Intern(int table, long id, string text)
        {
            entry.Clear();
            entry.Add(Interned.Id, id);
            entry.Add(Interned.Text, text);
            interned.Add(table, entry);
        }

        private void Annotate(string name, string text)
        {
            entry.Clear();
            entry.Add(DebugAnnotation.Name, name);
            entry.Add(DebugAnnotation.Text, text);
            trackEvent.Add(TrackEvent.DebugAnnotations, entry);
        }

        private long SpanTrack(int id)
        {
            if (spanTracks.TryGetValue(id, out var track)) return track;
            track = SpanTracks + ++tracks;
            var descriptor = new ProtoMessage();
            descriptor.Add(TrackDescriptor.Uuid, track);
            descriptor.Add(TrackDescriptor.ParentUuid, ThreadTracks + thread.Index);
            descriptor.Add(TrackDescriptor.Name, source.SpanName(id));
            packet.Clear();
            packet.Add(TracePacket.TrackDescriptor, descriptor);
            Write();
            return spanTracks[id] = track;
        }

        private void Begin(int flags)
        {
            packet.Clear();
            packet.Add(TracePacket.Sequence, thread.Index);
            packet.Add(TracePacket.SequenceFlags, flags);
        }

        private void Write()
        {
            entry.Clear();
            entry.Add(Trace.Packet, packet);
            writer.Write(entry.Bytes);
        }

        /// <summary>Numbers of what is written once per sequence.</summary>
        private sealed class Names
        {
            private readonly IdTable<(long Id, int Sequence)>[] tables = [.. Enum.GetValues<NameKind>().Select(_ => new IdTable<(long, int)>())];
            private int sequence;
            private long last;

            public void Begin(int number) => sequence = number;

            public long Find(NameKind kind, int id, out bool isNew)
            {
                ref var known = ref tables[(int)kind][id];
                isNew = known.Id == 0 || known.Sequence != sequence;
                if (isNew) known = (known.Id == 0 ? ++last : known.Id, sequence);
                return known.Id;
            }
        }
    }
}
