package no.couchexplorers.imagegenerator;

/** AWS refused, or could not be reached. Its message is one sentence; its cause is what the SDK threw. */
final class NotSentException extends Exception {
    private static final long serialVersionUID = 1L;

    NotSentException(String sentence, Throwable cause) {
        super(sentence, cause);
    }
}
