namespace Weft.Coverage.Regions.Placement;

/// <summary>A place in one of a module's source files, by the file's number; lines and columns begin at 1, columns count bytes.</summary>
internal readonly record struct Place(int File, int Line, int Column);
