package no.couchexplorers.imagegenerator;

import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.regex.Pattern;

/**
 * One message to send, checked.
 *
 * @param line the line of the file it stands on, counted from 1; 0 for the prompt of the command line
 * @param body what the worker receives: the bare prompt, or the JSON text of a job
 */
record Message(int line, String body) {

    /** SQS quotas, "Message size": bytes of UTF-8. A queue may be set to take less. */
    static final int MAXIMUM_BYTES = 1_048_576;

    /** Unicode's Default_Ignorable_Code_Point outside of control and format characters, and two that are drawn as blanks. */
    private static final Pattern IGNORABLE = Pattern.compile(
            "[\\x{034f}\\x{115f}\\x{1160}\\x{17b4}\\x{17b5}\\x{180b}-\\x{180f}"
                    + "\\x{2065}\\x{2800}\\x{3164}\\x{fe00}-\\x{fe0f}\\x{ffa0}\\x{fff0}-\\x{fff8}\\x{1d159}\\x{e0000}-\\x{e0fff}]");

    /** Checks the prompt of the command line. */
    static Message of(String prompt) throws UsageException {
        return checked(0, prompt, "The prompt");
    }

    /** Checks a line of the file that is called {@code source}. */
    static Message ofLine(int line, String text, String source) throws UsageException {
        return checked(line, text, "Line " + line + " of " + source);
    }

    /** The size of the body as SQS counts it. */
    int bytes() {
        return body.getBytes(StandardCharsets.UTF_8).length;
    }

    private static Message checked(int line, String text, String place) throws UsageException {
        if (text.codePoints().noneMatch(Message::isVisible)) {
            throw new UsageException(place + " is empty: say what to paint.");
        }
        checkCharacters(text, place);
        Message message = new Message(line, text);
        int bytes = message.bytes();
        if (bytes > MAXIMUM_BYTES) {
            throw new UsageException(String.format(
                    Locale.ROOT,
                    "%s is too long: it has %,d bytes in UTF-8 and a message at most %,d. Shorten it.",
                    place,
                    bytes,
                    MAXIMUM_BYTES));
        }
        String meant = text.substring(firstVisible(text)).stripTrailing();
        // The worker takes a body that starts so for a job in JSON, and refuses other JSON.
        if (meant.startsWith("{")) {
            Job.check(meant, place);
        } else if (Job.isOtherJson(meant)) {
            throw new UsageException(
                    place
                            + " is JSON, but no job: write the bare prompt, or {\"prompt\": \"...\"} for one that looks like JSON.");
        }
        return message;
    }

    private static int firstVisible(String text) {
        int index = 0;
        while (!isVisible(text.codePointAt(index))) {
            index += Character.charCount(text.codePointAt(index));
        }
        return index;
    }

    /** Whether a character has a glyph; the worker judges by the same ones. */
    private static boolean isVisible(int character) {
        return switch (Character.getType(character)) {
            case Character.CONTROL,
                    Character.FORMAT,
                    Character.SURROGATE,
                    Character.SPACE_SEPARATOR,
                    Character.LINE_SEPARATOR,
                    Character.PARAGRAPH_SEPARATOR -> false;
            default -> !IGNORABLE.matcher(Character.toString(character)).matches();
        };
    }

    /** Refuses what SQS does not take: API reference, SendMessage, "MessageBody". */
    private static void checkCharacters(String text, String place) throws UsageException {
        for (int index = 0; index < text.length(); ) {
            int character = text.codePointAt(index);
            boolean control = character < 0x20 && character != '\t' && character != '\n' && character != '\r';
            boolean half = character >= Character.MIN_SURROGATE && character <= Character.MAX_SURROGATE;
            if (control || half || character == 0xFFFE || character == 0xFFFF) {
                throw new UsageException(String.format(
                        Locale.ROOT,
                        "%s holds the character U+%04X, which SQS does not take: remove it.",
                        place,
                        character));
            }
            index += Character.charCount(character);
        }
    }
}
