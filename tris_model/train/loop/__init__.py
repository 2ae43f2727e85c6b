"""What every training loop needs: order, ranks, optimiser, journal, and checks that numbers stay finite."""
