package no.couchexplorers.imagegenerator;

import static no.couchexplorers.imagegenerator.Failing.refusal;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ProgramArgumentsTest {
    private static final String[] LOST = {"--json", "p\uFFFD\uFFFD fjellet"};

    @TempDir
    private Path folder;

    @Test
    void arguments_that_java_could_read_are_left_alone() throws UsageException {
        String[] arguments = {"på fjellet 🦊"};

        assertSame(arguments, ProgramArguments.asTyped(arguments));
    }

    @Test
    void letters_that_java_lost_are_read_anew_from_the_last_arguments_of_the_process() throws Exception {
        Path commandLine = commandLine("java\0-jar\0client.jar\0--json\0på fjellet\0");

        assertArrayEquals(new String[] {"--json", "på fjellet"}, ProgramArguments.readAnew(LOST, commandLine));
    }

    @Test
    void where_they_cannot_be_read_anew_the_sentence_says_what_to_set() throws Exception {
        Path tooFew = commandLine("java\0");
        Path missing = folder.resolve("missing");
        Path latin1 = folder.resolve("latin-1");
        Files.write(latin1, new byte[] {'a', 0, 'p', (byte) 0xE5, 0});

        for (Path commandLine : new Path[] {tooFew, missing, latin1}) {
            assertTrue(
                    refusal(() -> ProgramArguments.readAnew(LOST, commandLine)).contains("set LC_ALL=C.UTF-8"));
        }
    }

    private Path commandLine(String text) throws IOException {
        return Files.writeString(folder.resolve("cmdline"), text);
    }
}
