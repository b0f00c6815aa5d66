using System.Text;

namespace Weft.Tests;

/// <summary>
/// What Perfetto's importer would see in a trace: names looked up in what their sequence has interned, events on the track they
/// name or their sequence's own. Written from the .proto files of Perfetto alone.
/// </summary>
internal sealed class PerfettoTrace
{
    private readonly Dictionary<ulong, string> tracks = [];
    private readonly Dictionary<(ulong Sequence, ulong Id), string> names = [];
    private readonly Dictionary<ulong, ulong> defaultTracks = [];

    private PerfettoTrace() { }

    /// <summary>By track: begins with their names, and ends.</summary>
    public Dictionary<string, List<string>> Slices { get; } = [];

    public List<string> Instants { get; } = [];

    public string Process { get; private set; } = "";

    public static PerfettoTrace Decode(byte[] bytes)
    {
        var trace = new PerfettoTrace();
        foreach (var packet in Message.Of(bytes)[1]) trace.Packet(Message.Of(packet.Bytes));
        return trace;
    }

    private void Packet(Message packet)
    {
        var sequence = packet.Number(10);
        if (packet.Has(60)) Track(packet.Child(60));
        if (packet.Has(59))
        {
            Assert.Equal(1ul, packet.Number(13) & 1);
            defaultTracks[sequence] = packet.Child(59).Child(11).Number(11);
        }
        if (packet.Has(12))
            foreach (var name in packet.Child(12)[2].Select(n => Message.Of(n.Bytes))) names.Add((sequence, name.Number(1)), name.Text(2));
        if (packet.Has(11)) Event(packet.Child(11), packet.Number(8), sequence, packet.Number(13));
    }

    private void Track(Message track)
    {
        var parent = track.Has(5) ? tracks[track.Number(5)] : "";
        if (track.Has(3)) Process = $"{track.Child(3).Text(6)} {track.Child(3).Number(1)}";
        tracks[track.Number(1)] = track.Has(4) ? $"{track.Child(4).Text(5)} {track.Child(4).Number(2)}" : track.Has(3) ? "process" : $"{parent} > {track.Text(2)}";
    }

    private void Event(Message e, ulong time, ulong sequence, ulong flags)
    {
        Assert.Equal(2ul, flags & 2); // else interned names may not be referred to
        var name = e.Has(10) ? names[(sequence, e.Number(10))] : "";
        var annotations = string.Concat(e[4].Select(a => Message.Of(a.Bytes)).Select(a => $" {a.Text(10)}={a.Text(6)}"));
        var track = tracks[e.Has(11) ? e.Number(11) : defaultTracks[sequence]];
        if (e.Number(9) == 3) Instants.Add(name + annotations);
        else if (Slices.TryGetValue(track, out var slices)) slices.Add(e.Number(9) == 1 ? $"{time} {name}" : $"{time} end");
        else Slices[track] = [$"{time} {name}"];
    }

    /// <summary>A protobuf message: the values of each field, in order.</summary>
    private sealed class Message
    {
        private readonly List<(int Field, ulong Number, byte[] Bytes)> values = [];

        public IEnumerable<(int Field, ulong Number, byte[] Bytes)> this[int field] => values.Where(v => v.Field == field);

        public static Message Of(byte[] bytes)
        {
            var message = new Message();
            for (var at = 0; at < bytes.Length;)
            {
                var key = Varint(bytes, ref at);
                var number = Varint(bytes, ref at);
                Assert.True((key & 7) is 0 or 2, $"wire type {key & 7}");
                var sized = (key & 7) == 2 ? bytes[at..(at + (int)number)] : [];
                at += sized.Length;
                message.values.Add(((int)(key >> 3), number, sized));
            }
            return message;
        }

        public bool Has(int field) => this[field].Any();

        public ulong Number(int field) => this[field].LastOrDefault().Number;

        public string Text(int field) => Encoding.UTF8.GetString(this[field].LastOrDefault().Bytes ?? []);

        public Message Child(int field) => Of(this[field].Single().Bytes);

        private static ulong Varint(byte[] bytes, ref int at)
        {
            var value = 0ul;
            for (var shift = 0; ; shift += 7)
            {
                value |= (ulong)(bytes[at] & 0x7F) << shift;
                if (bytes[at++] < 0x80) return value;
            }
        }
    }
}
