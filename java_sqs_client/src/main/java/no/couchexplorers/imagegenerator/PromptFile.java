package no.couchexplorers.imagegenerator;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A file of prompts: one a line, bare or as a JSON object; blank lines count for nothing. */
final class PromptFile {
    private static final String STANDARD_INPUT = "-";
    private static final String BYTE_ORDER_MARK = "\uFEFF";

    private PromptFile() {}

    /** Reads and checks all lines of the file with this name, or of {@code input} where the name is "-". */
    static List<Message> read(String name, InputStream input) throws UsageException {
        String source = name.equals(STANDARD_INPUT) ? "standard input" : name;
        byte[] bytes = name.equals(STANDARD_INPUT) ? bytes(input) : bytes(name);
        List<Message> messages = new ArrayList<>();
        int number = 0;
        for (int start = 0; start < bytes.length; ) {
            int end = endOfLine(bytes, start);
            number++;
            String line = decode(bytes, start, end, number, source);
            if (!line.isBlank()) {
                messages.add(Message.ofLine(number, line, source));
            }
            start = end + 1;
        }
        if (messages.isEmpty()) {
            throw new UsageException("No prompt stands in " + source + ": write one on each line.");
        }
        return messages;
    }

    private static byte[] bytes(String name) throws UsageException {
        try {
            Path path = Path.of(name);
            if (Files.isDirectory(path)) {
                throw unreadable(name, "is a folder", null);
            }
            return Files.readAllBytes(path);
        } catch (NoSuchFileException | InvalidPathException error) {
            throw unreadable(name, "does not exist", error);
        } catch (AccessDeniedException error) {
            throw unreadable(name, "may not be read by you", error);
        } catch (IOException error) {
            throw unreadable(name, "cannot be read (" + Explanation.oneLine(error) + ")", error);
        }
    }

    private static byte[] bytes(InputStream input) throws UsageException {
        try {
            return input.readAllBytes();
        } catch (IOException error) {
            throw new UsageException(
                    "Standard input cannot be read (" + Explanation.oneLine(error) + "): give a file.", error);
        }
    }

    private static UsageException unreadable(String name, String why, Exception cause) {
        return new UsageException(
                "The file " + Explanation.quoted(name) + " " + why
                        + ": give a file of prompts, or - for standard input.",
                cause);
    }

    private static int endOfLine(byte[] bytes, int start) {
        int end = start;
        while (end < bytes.length && bytes[end] != '\n') {
            end++;
        }
        return end;
    }

    /** Reads one line as UTF-8, by itself, so that a wrong byte is told with its line. */
    private static String decode(byte[] bytes, int start, int end, int number, String source) throws UsageException {
        String line;
        try {
            line = StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes, start, end - start))
                    .toString();
        } catch (CharacterCodingException error) {
            throw new UsageException(
                    "Line " + number + " of " + source + " is not in UTF-8: save the file in that encoding.", error);
        }
        // Windows tools put a mark before the first character and a carriage return after each line.
        if (number == 1 && line.startsWith(BYTE_ORDER_MARK)) {
            line = line.substring(1);
        }
        return line.endsWith("\r") ? line.substring(0, line.length() - 1) : line;
    }
}
