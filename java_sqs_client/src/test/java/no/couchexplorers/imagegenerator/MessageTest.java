package no.couchexplorers.imagegenerator;

import static no.couchexplorers.imagegenerator.Failing.refusal;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MessageTest {
    @Test
    void the_body_is_the_bare_prompt() throws UsageException {
        assertEquals(" Blåbær 🫐\t狐 ", Message.of(" Blåbær 🫐\t狐 ").body());
    }

    @Test
    void the_size_counts_bytes_not_letters() throws UsageException {
        assertEquals(3 + 4 + 2, Message.of("狐🦊å").bytes());
    }

    @ParameterizedTest
    @ValueSource(strings = {"", " ", "\t\n"})
    void a_prompt_of_only_blanks_is_refused(String prompt) {
        assertEquals("The prompt is empty: say what to paint.", refusal(() -> Message.of(prompt)));
    }

    @Test
    void one_mebibyte_is_taken_and_not_one_byte_more() throws UsageException {
        String longest = "å".repeat(Message.MAXIMUM_BYTES / 2);

        assertEquals(1_048_576, Message.of(longest).bytes());
        assertEquals(
                "Line 3 of prompts.txt is too long: it has 1,048,577 bytes in UTF-8 and a message at most 1,048,576. "
                        + "Shorten it.",
                refusal(() -> Message.ofLine(3, longest + "a", "prompts.txt")));
    }

    @ParameterizedTest
    @ValueSource(strings = {"0000", "0007", "001B", "D83D", "DE00", "FFFE", "FFFF"})
    void a_character_that_sqs_does_not_take_is_named(String number) {
        char character = (char) Integer.parseInt(number, 16);

        assertEquals(
                "The prompt holds the character U+" + number + ", which SQS does not take: remove it.",
                refusal(() -> Message.of("a" + character + "b")));
    }

    @Test
    void a_prompt_in_braces_is_a_job_and_checked_as_one() throws UsageException {
        assertEquals(" {\"prompt\": \"x\"}", Message.of(" {\"prompt\": \"x\"}").body());
        assertTrue(refusal(() -> Message.of("{curly")).startsWith("The prompt starts with \"{\" but is no valid JSON"));
    }
}
