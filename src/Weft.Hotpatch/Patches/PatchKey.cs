using System.Security.Cryptography;
using System.Text;
using Weft.Core;

namespace Weft.Hotpatch.Patches;

/// <summary>
/// A pair of keys by which programs know whose patches they are given: RSA with 3072 bits and the exponent 65537. The private one is a
/// file of PKCS#8 as PEM, the public one is a line that runtime/hotpatch_key.c reads.
/// </summary>
public static class PatchKey
{
    private const int Bits = 3072;

    /// <summary>Makes a pair: the private key goes to a file, the public one to the same name with .pub.</summary>
    /// <returns>The name of the public one.</returns>
    /// <exception cref="WeftException">One of the files is there: nothing is overwritten.</exception>
    public static string Create(string path)
    {
        var publicPath = path + ".pub";
        if (File.Exists(publicPath)) throw new WeftException($"'{publicPath}' is there already", "name another file: a key is never overwritten");
        using var key = RSA.Create(Bits);
        WriteNew(path, key.ExportPkcs8PrivateKeyPem() + "\n", isSecret: true);
        WriteNew(publicPath, $"weft-hotpatch-key 1 {Convert.ToHexStringLower(key.ExportParameters(includePrivateParameters: false).Modulus!)}\n", isSecret: false);
        return publicPath;
    }

    /// <summary>The bytes with their signature behind them: RSASSA-PKCS1-v1_5 with SHA-256.</summary>
    /// <param name="patch">What is signed.</param>
    /// <param name="path">The private key.</param>
    internal static byte[] Sign(byte[] patch, string path)
    {
        using var key = Read(path);
        return [.. patch, .. key.SignData(patch, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)];
    }

    private static RSA Read(string path)
    {
        var text = Encoding.UTF8.GetString(AtomicFile.Read(path));
        var key = RSA.Create();
        try
        {
            key.ImportFromPem(text);
            if (key.KeySize == Bits && key.ExportParameters(includePrivateParameters: true).Exponent is [1, 0, 1]) return key;
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            key.Dispose();
            throw new WeftException($"'{path}' is no private key", "make one with 'weft hotpatch key FILE', and give that file, not FILE.pub", ExitCode.Failure, e);
        }
        key.Dispose();
        throw new WeftException($"'{path}' is no RSA key of {Bits} bits with the exponent 65537", "make one with 'weft hotpatch key FILE'");
    }

    private static void WriteNew(string path, string text, bool isSecret)
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (isSecret && !OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        try
        {
            using var file = new FileStream(path, options);
            file.Write(Encoding.ASCII.GetBytes(text));
        }
        catch (IOException e) when (File.Exists(path))
        {
            throw new WeftException($"'{path}' is there already", "name another file: a key is never overwritten", ExitCode.Failure, e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new WeftException($"cannot write '{path}': {e.Message}", "name a file in a folder that can be written to", ExitCode.Failure, e);
        }
    }
}
