package no.couchexplorers.imagegenerator;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The program's arguments as they were typed.
 *
 * <p>Java reads them in the locale's encoding. Where no locale is set, as in most containers, that is ASCII, and each
 * byte of a letter beyond it arrives as U+FFFD: "på" is lost before {@code main} begins. Linux keeps the bytes.
 */
final class ProgramArguments {
    private static final char LOST = '\uFFFD';
    private static final Path COMMAND_LINE = Path.of("/proc/self/cmdline");

    private ProgramArguments() {}

    /** Gives the arguments back, read again as UTF-8 if Java could not read them. */
    static String[] asTyped(String... arguments) throws UsageException {
        for (String argument : arguments) {
            if (argument.indexOf(LOST) >= 0) {
                return readAnew(arguments, COMMAND_LINE);
            }
        }
        return arguments;
    }

    static String[] readAnew(String[] arguments, Path commandLine) throws UsageException {
        try {
            List<String> all = decode(Files.readAllBytes(commandLine));
            // The program's own arguments are the last; those of Java come first.
            return all.subList(all.size() - arguments.length, all.size()).toArray(String[]::new);
        } catch (IOException | IndexOutOfBoundsException error) {
            throw new UsageException(
                    "The arguments hold characters that Java cannot read here: set LC_ALL=C.UTF-8, "
                            + "or put the prompt into a file in UTF-8 and give --file.",
                    error);
        }
    }

    /** Splits the bytes at each NUL, which ends every argument. */
    private static List<String> decode(byte[] bytes) throws CharacterCodingException {
        List<String> arguments = new ArrayList<>();
        int start = 0;
        for (int end = 0; end < bytes.length; end++) {
            if (bytes[end] == 0) {
                ByteBuffer argument = ByteBuffer.wrap(bytes, start, end - start);
                arguments.add(
                        StandardCharsets.UTF_8.newDecoder().decode(argument).toString());
                start = end + 1;
            }
        }
        return arguments;
    }
}
