namespace Weft.RealPrograms;

/// <summary>C and C++ programs as Debian has them, built through their own build systems with a compiler of the caller's choice.</summary>
/// <param name="cc">What CC is set to, with arguments if any.</param>
/// <param name="cxx">What CXX is set to.</param>
/// <param name="variant">Name of the build folder.</param>
public sealed class CPrograms(string cc, string cxx, string variant)
{
    private static readonly string[] Jobs = ["-j", Environment.ProcessorCount.ToString()];

    /// <summary>Lua 5.4: its own makefile. Returns the interpreter.</summary>
    public string Lua()
    {
        var folder = Copy("lua5.4", patched: false); // Debian's patches bring libtool in
        DebianSource.Must("make", [.. Jobs, "-C", "src", $"CC={cc}", "SYSCFLAGS=-DLUA_USE_POSIX -DLUA_USE_DLOPEN", "SYSLIBS=-Wl,-E -ldl", "lua"], folder);
        return Path.Combine(folder, "src/lua");
    }

    /// <summary>zlib: configure, make, and its own check. Returns what the check printed.</summary>
    public string ZlibCheck() => DebianSource.Must("make", [.. Jobs, "check"], ZlibConfigured());

    /// <summary>zlib with its example programs. Returns the folder they are in.</summary>
    public string Zlib()
    {
        var folder = ZlibConfigured();
        DebianSource.Must("make", [.. Jobs, "static"], folder);
        return folder;
    }

    private string ZlibConfigured()
    {
        var folder = Copy("zlib");
        DebianSource.Must("sh", ["./configure"], folder, new Dictionary<string, string?> { ["CC"] = cc });
        return folder;
    }

    /// <summary>SQLite's shell from the amalgamation that its own makefile makes. Returns the shell.</summary>
    public string Sqlite()
    {
        DebianSource.Install("tcl", "make", "gcc");
        var folder = Copy("sqlite3");
        DebianSource.Must("sh", ["./configure", "--disable-tcl", "--disable-shared", "--disable-readline"], folder, new Dictionary<string, string?> { ["CC"] = cc });
        DebianSource.Must("make", [.. Jobs, "sqlite3"], folder);
        return Path.Combine(folder, "sqlite3");
    }

    /// <summary>SQLite's own tests, the quick set: a quarter of a million of them. Returns what they printed.</summary>
    public string SqliteTests()
    {
        var folder = SqliteTestFolder();
        var output = DebianSource.Must("setpriv", AsNobody(folder, "./testfixture", "test/extraquick.test"), folder);
        Directory.Delete(folder, recursive: true);
        return output;
    }

    /// <summary>SQLite's own tests and what runs them, testfixture, a Tcl interpreter with SQLite in it: a temporary folder of the user nobody's, for they refuse to run as root.</summary>
    public string SqliteTestFolder()
    {
        DebianSource.Install("tcl8.6-dev", "make", "gcc");
        var folder = Copy("sqlite3", patched: false); // one of the tests knows the default page size, which Debian's patches change
        DebianSource.Must("sh", ["./configure", "--disable-readline", "--with-tcl=/usr/lib/tcl8.6"], folder, new Dictionary<string, string?> { ["CC"] = cc });
        DebianSource.Must("make", [.. Jobs, "testfixture"], folder);
        // That user must be able to reach what they read.
        var reachable = Directory.CreateTempSubdirectory("weft-sqlite-").FullName;
        DebianSource.Must("sh", ["-c", "cp -r testfixture test ext \"$1\" && chown -R nobody \"$1\"", "sh", reachable], folder);
        return reachable;
    }

    /// <summary>Arguments of setpriv that run a command as the user nobody, at home in a folder.</summary>
    public static string[] AsNobody(string folder, params string[] command) => ["--reuid=65534", "--regid=65534", "--clear-groups", "env", $"HOME={folder}", .. command];

    /// <summary>{fmt}: CMake, templates and exceptions, its own tests. Returns what ctest printed.</summary>
    public string FmtTests()
    {
        DebianSource.Install("cmake", "googletest");
        var folder = Copy("fmtlib");
        var build = Path.Combine(folder, "weft-build");
        DebianSource.Must("cmake", ["-S", ".", "-B", build, "-DCMAKE_BUILD_TYPE=Release", $"-DCMAKE_CXX_COMPILER={cxx}", $"-DCMAKE_C_COMPILER={cc}", "-DFMT_DOC=OFF", "-DFMT_FUZZ=OFF"], folder);
        DebianSource.Must("cmake", ["--build", build, .. Jobs], folder);
        return DebianSource.Must("ctest", ["--output-on-failure"], build);
    }

    // Each compiler gets a copy of its own: these build systems leave objects beside sources.
    private string Copy(string package, bool patched = true)
    {
        var source = DebianSource.Unpack(package, patched);
        var folder = Path.Combine(DebianSource.Folder, "build", variant, package);
        if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
        Directory.CreateDirectory(Path.GetDirectoryName(folder)!);
        DebianSource.Must("cp", ["-r", source, folder], DebianSource.Folder);
        return folder;
    }
}
