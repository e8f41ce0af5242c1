package no.couchexplorers.imagegenerator;

/**
 * What the caller can correct before anything is sent: an option, the queue's address, a prompt. Its message is one
 * sentence.
 */
final class UsageException extends Exception {
    private static final long serialVersionUID = 1L;

    UsageException(String sentence) {
        super(sentence);
    }

    UsageException(String sentence, Throwable cause) {
        super(sentence, cause);
    }
}
