package no.couchexplorers.imagegenerator;

import java.nio.charset.StandardCharsets;
import java.util.Locale;

/**
 * One message to send, checked.
 *
 * @param line the line of the file it stands on, counted from 1; 0 for the prompt of the command line
 * @param body what the worker receives: the bare prompt, or the JSON text of a job
 */
record Message(int line, String body) {

    /** SQS quotas, "Message size": bytes of UTF-8. A queue may be set to take less. */
    static final int MAXIMUM_BYTES = 1_048_576;

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
        if (text.isBlank()) {
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
        // The worker takes a body that starts so for a job in JSON.
        if (text.stripLeading().startsWith("{")) {
            Job.check(text.strip(), place);
        }
        return message;
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
