package no.couchexplorers.imagegenerator;

import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.function.Executable;

/** What the tests ask of code that fails. */
final class Failing {
    private Failing() {}

    /** Runs what must be refused and gives the sentence. */
    static String refusal(Executable action) {
        return assertThrows(UsageException.class, action).getMessage();
    }
}
