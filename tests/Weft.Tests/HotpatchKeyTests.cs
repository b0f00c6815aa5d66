using System.Security.Cryptography;
using Weft.Core;

namespace Weft.Tests;

/// <summary>Programs that take signed patches only.</summary>
public sealed class HotpatchKeyTests : HotpatchedPrograms
{
    private const int SignatureSize = 384;

    [Needs("clang-22")]
    public void A_program_with_a_key_takes_what_is_signed_with_it_and_nothing_else()
    {
        var (mine, other) = (Built.Key("mine"), Built.Key("stranger"));
        var signed = Built.Build("signed", 2, "--key", mine);
        var foreign = Built.Build("foreign", 2, "--key", other);
        Harness.Environment["WEFT_HOTPATCH_KEY"] = mine + ".pub";
        var process = Ticking();
        Harness.AssertToldWell(Apply(process, Built.Second), ExitCode.Failure, "is not signed", "--key");
        Harness.AssertToldWell(Apply(process, foreign), ExitCode.Failure, "signed with another key");
        AssertVersion(1, process);
        Assert.Equal("", List(process));
        Must(Apply(process, signed));
        AssertVersion(2, process);
        var onTop = Built.Build("signed-on-top", 3, "--key", mine, "--after", signed);
        Must(Apply(process, onTop));
        AssertVersion(3, process);
    }

    [Needs("clang-22")]
    public void A_program_without_a_key_takes_signed_patches_too()
    {
        var process = Ticking();
        Must(Apply(process, Built.Build("signed", 2, "--key", Built.Key("mine"))));
        AssertVersion(2, process);
    }

    [Needs("clang-22", "openssl")]
    public void Signatures_are_those_of_openssl_and_keys_of_openssl_sign()
    {
        var key = Harness.Path("theirs");
        Harness.Must("openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072", "-out", key);
        var modulus = Harness.Must("openssl", "rsa", "-in", key, "-noout", "-modulus").Output.Trim()["Modulus=".Length..];
        Harness.Write("theirs.pub", $"weft-hotpatch-key 1 {modulus}\n");
        var patch = File.ReadAllBytes(Built.Build("signed", 2, "--key", key));
        File.WriteAllBytes(Harness.Path("content"), patch[..^SignatureSize]);
        Harness.Must("openssl", "dgst", "-sha256", "-sign", key, "-out", "signature", "content");
        Assert.Equal(File.ReadAllBytes(Harness.Path("signature")), patch[^SignatureSize..]);
        Harness.Environment["WEFT_HOTPATCH_KEY"] = Harness.Path("theirs.pub");
        Assert.Equal((1, 0), Fed([patch]));
    }

    [Needs("clang-22")]
    public void A_signature_that_is_right_but_for_anything_is_refused()
    {
        var key = Built.Key("mine");
        var patch = File.ReadAllBytes(Built.Build("signed", 2, "--key", key));
        var content = patch[..^SignatureSize];
        using var rsa = RSA.Create();
        rsa.ImportFromPem(File.ReadAllText(key));
        var modulus = rsa.ExportParameters(includePrivateParameters: false).Modulus!;
        List<byte[]> wrong = [.. Enumerable.Range(0, SignatureSize).Select(i => Flipped(patch, content.Length + i, i))];
        wrong.AddRange(((byte[][])[
            new byte[SignatureSize], [.. new byte[SignatureSize - 1], 1], modulus, [.. Enumerable.Repeat((byte)0xFF, SignatureSize)],
            Plus(patch[^SignatureSize..], modulus),
            rsa.SignData(content, HashAlgorithmName.SHA256, RSASignaturePadding.Pss),
            rsa.SignData(content, HashAlgorithmName.SHA512, RSASignaturePadding.Pkcs1),
            rsa.SignData(content[..^1], HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1),
        ]).Select(signature => (byte[])[.. content, .. signature]));
        // Another patch's signature; and this one's behind a change that the digest goes along with.
        wrong.Add([.. content, .. File.ReadAllBytes(Built.Build("signed-too", 3, "--key", key))[^SignatureSize..]]);
        wrong.Add([.. ForgedPatch.WithDigest(Flipped(content, content.Length - 1, 0)), .. patch[^SignatureSize..]]);
        Harness.Environment["WEFT_HOTPATCH_KEY"] = key + ".pub";
        Assert.Equal((0, wrong.Count), Fed(wrong));
        Assert.Equal((1, 0), Fed([patch]));
    }

    [Needs("clang-22")]
    public void Many_keys_agree_with_what_verifies_elsewhere()
    {
        var content = File.ReadAllBytes(Built.Second);
        for (var i = 0; i < 2; i++)
        {
            using var rsa = RSA.Create(3072);
            Harness.Write("key.pub", $"weft-hotpatch-key 1 {Convert.ToHexString(rsa.ExportParameters(includePrivateParameters: false).Modulus!)}");
            Harness.Environment["WEFT_HOTPATCH_KEY"] = Harness.Path("key.pub");
            Assert.Equal((1, 0), Fed([[.. content, .. rsa.SignData(content, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)]]));
        }
    }

    [TheoryNeeds("clang-22")]
    [InlineData(null, "it cannot be opened")]
    [InlineData("", "it is no public key")]
    [InlineData("weft-hotpatch-key 2 00\n", "it is no public key")]
    [InlineData("weft-hotpatch-key 1 1234\n", "it is no public key")]
    [InlineData("weft-hotpatch-key 1 Z", "its number is none")]
    [InlineData("weft-hotpatch-key 1 0", "its number is no modulus of 3072 bits")]
    [InlineData("weft-hotpatch-key 1 F+", "its number is longer than 3072 bits")]
    public void A_key_that_cannot_be_read_refuses_every_patch_and_is_told_once(string? text, string reason)
    {
        var digits = text is { Length: 21 or 22 } ? string.Concat(Enumerable.Repeat(text[20] == 'Z' ? "zz" : text[20] == '0' ? "00" : "ff", 384)) : "";
        if (text != null) Harness.Write("key.pub", digits.Length > 0 ? $"{text[..20]}{digits}{text[21..].Replace('+', '0')}\n" : text);
        Harness.Environment["WEFT_HOTPATCH_KEY"] = Harness.Path("key.pub");
        ForgedPatch.Write(Harness.Path("patches"), Enumerable.Repeat(File.ReadAllBytes(Built.Second), 3));
        var outcome = Harness.Must(Built.Program, "feed", Harness.Path("patches"));
        Assert.Equal("applied 0\nrefused 3\n", outcome.Output);
        Assert.Equal($"weft: hotpatch: WEFT_HOTPATCH_KEY: '{Harness.Path("key.pub")}': {reason}", Assert.Single(outcome.Errors.TrimEnd('\n').Split('\n'))[..^": every patch will be refused".Length].Replace("of 'weft hotpatch key'", "").TrimEnd());
    }

    [Needs("clang-22")]
    public void A_key_is_its_owners_and_never_overwritten()
    {
        Must(Harness.RunWeft("hotpatch", "key", "mine"));
        var key = Harness.Path("mine");
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(key));
        var (secret, open) = (File.ReadAllText(key), File.ReadAllText(key + ".pub"));
        Assert.Matches("^weft-hotpatch-key 1 [0-9a-f]{768}\n$", open);
        Harness.AssertToldWell(Harness.RunWeft("hotpatch", "key", key), ExitCode.Failure, "is there already", "never overwritten");
        File.Delete(key);
        Harness.AssertToldWell(Harness.RunWeft("hotpatch", "key", key), ExitCode.Failure, "mine.pub' is there already");
        Assert.False(File.Exists(key));
        File.Delete(key + ".pub");
        File.WriteAllText(key, secret);
        Harness.AssertToldWell(Harness.RunWeft("hotpatch", "key", key), ExitCode.Failure, "is there already");
        Assert.Equal(secret, File.ReadAllText(key));
        Harness.AssertToldWell(Harness.RunWeft("hotpatch", "key", Harness.Path("no/where")), ExitCode.Failure, "cannot write");
    }

    [Needs("clang-22")]
    public void What_is_no_private_key_does_not_sign()
    {
        var key = Built.Key("mine");
        Harness.AssertToldWell(Sign(key + ".pub"), ExitCode.Failure, "is no private key");
        using var small = RSA.Create(2048);
        File.WriteAllText(Harness.Path("small"), small.ExportPkcs8PrivateKeyPem());
        Harness.AssertToldWell(Sign(Harness.Path("small")), ExitCode.Failure, "is no RSA key of 3072 bits");
        using var rsa = RSA.Create();
        rsa.ImportFromPem(File.ReadAllText(key));
        File.WriteAllText(Harness.Path("public"), rsa.ExportSubjectPublicKeyInfoPem());
        Harness.AssertToldWell(Sign(Harness.Path("public")), ExitCode.Failure, "is no private key");
        Harness.AssertToldWell(Sign(Harness.Path("missing")), ExitCode.Failure, "missing");
    }

    private Outcome Sign(string key) => Built.Harness.RunWeft("hotpatch", "build", "--program", "program", "-o", "never.patch", "--key", key, "v2/parts.o");

    private (long Applied, long Refused) Fed(IReadOnlyList<byte[]> patches)
    {
        ForgedPatch.Write(Harness.Path("patches"), patches);
        var lines = Must(Harness.Run(Built.Program, "feed", Harness.Path("patches"))).Output.TrimEnd('\n').Split('\n');
        return (Value(lines, "applied"), Value(lines, "refused"));
    }

    private static byte[] Flipped(byte[] bytes, int at, int bit)
    {
        var copy = (byte[])bytes.Clone();
        copy[at] ^= (byte)(1 << (bit % 8));
        return copy;
    }

    /// <summary>Another number of the same rest, if it still has as many bytes.</summary>
    private static byte[] Plus(byte[] a, byte[] b)
    {
        var sum = new System.Numerics.BigInteger(a, isUnsigned: true, isBigEndian: true) + new System.Numerics.BigInteger(b, isUnsigned: true, isBigEndian: true);
        var bytes = sum.ToByteArray(isUnsigned: true, isBigEndian: true);
        return bytes.Length == a.Length ? bytes : b;
    }
}
